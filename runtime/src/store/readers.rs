//! Reader connections: a bounded number for all stores of a registry, taken for a read and given back after it.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use crate::{
    clock,
    primitives::{Condvar, Mutex, MutexGuard, atomic::AtomicU64},
    storage::{
        network::Folders,
        sqlite::{Connection, Interrupter},
    },
};

/// Reader connections of all stores of a registry, and how many of them are kept. When so many are in use, a read waits for one a short
/// while and opens one more then, which is closed after it: whoever has the others may be waiting for this very read.
pub(crate) struct ReaderPool {
    max: usize,
    next_store: AtomicU64,
    state: Mutex<PoolState>,
    freed: Condvar,
    folders: Folders,
}

#[derive(Default)]
struct PoolState {
    open: usize,
    /// Reads that wait for a reader. Waking asks the operating system, also where nobody waits.
    waiting: usize,
    // Least recently used first.
    idle: Vec<(PoolKey, Reader)>,
}

/// One store of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolKey(u64);

/// A connection that reads.
pub(crate) struct Reader {
    pub(crate) connection: Connection,
    pub(crate) interrupter: Arc<Interrupter>,
}

/// What a store gets for a read.
pub(crate) enum Lease {
    /// A reader of its own that was idle.
    Idle(Reader),
    /// It may open one.
    Open,
}

/// How long a read waits for a reader when as many are open as are kept: most reads are far shorter.
const PATIENCE: Duration = Duration::from_millis(10);

/// How much longer it waits for each time more that so many are open: the number has no hard limit, because whoever waits may be
/// waited for, and yet it grows ever more slowly.
const MORE_PATIENCE: u32 = 4;

fn patience(open: usize, max: usize) -> Duration {
    let times = u32::try_from(open / max).unwrap_or(u32::MAX).saturating_sub(1);
    PATIENCE.saturating_mul(MORE_PATIENCE.saturating_pow(times))
}

impl ReaderPool {
    /// A pool that keeps at most `max` connections, and at least one.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            freed: Condvar::new(),
            next_store: AtomicU64::new(0),
            state: Mutex::default(),
            folders: Folders::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn with_folders(max: usize, folders: Folders) -> Self {
        Self { folders, ..Self::new(max) }
    }

    pub(crate) fn register(&self) -> PoolKey {
        PoolKey(self.next_store.fetch_add(1, Ordering::Relaxed))
    }

    /// A reader of this store, or leave to open one; another store's idle reader is closed for it. `may_wait` says whether the thread
    /// holds nothing that a read in progress may need, and `check` whether the store still answers.
    pub(crate) fn take<E>(
        &self,
        store: PoolKey,
        mut may_wait: bool,
        check: impl Fn() -> Result<(), E>,
    ) -> Result<Lease, E> {
        let mut state = self.lock();
        loop {
            if let Some(at) = state.idle.iter().rposition(|(key, _)| *key == store) {
                return Ok(Lease::Idle(state.idle.remove(at).1));
            }
            if state.open < self.max || (state.idle.is_empty() && !may_wait) {
                state.open += 1;
                return Ok(Lease::Open);
            }
            if !state.idle.is_empty() {
                let (_, unused) = state.idle.remove(0);
                drop(state);
                // Closing is file work, so it happens without the lock. The count stays: it is the new reader's now.
                drop(unused);
                return Ok(Lease::Open);
            }
            check()?;
            let most = patience(state.open, self.max);
            state.waiting += 1;
            (state, may_wait) = clock::wait_at_most(&self.freed, state, most);
            state.waiting -= 1;
        }
    }

    /// Gives a reader back, to be used again unless there are too many.
    pub(crate) fn give_back(&self, store: PoolKey, reader: Reader) {
        let mut state = self.lock();
        let (kept, awaited) = (state.open <= self.max, state.waiting > 0);
        if kept {
            state.idle.push((store, reader));
        } else {
            state.open -= 1;
            drop(state);
            drop(reader);
        }
        if awaited {
            self.freed.notify_one();
        }
    }

    /// A reader was closed, or could not be opened.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        state.open = state.open.saturating_sub(1);
        drop(state);
        self.freed.notify_one();
    }

    /// Lets those who wait look whether their store still answers.
    pub(crate) fn wake(&self) {
        // With the lock in between nobody is between looking and waiting.
        drop(self.lock());
        self.freed.notify_all();
    }

    /// How many are open, idle or in use.
    #[cfg(test)]
    pub(crate) fn open(&self) -> usize {
        self.lock().open
    }

    /// Closes the idle readers of a store.
    pub(crate) fn close_idle(&self, store: PoolKey) {
        let mut state = self.lock();
        let (own, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.idle).into_iter().partition(|(key, _)| *key == store);
        state.idle = others;
        state.open = state.open.saturating_sub(own.len());
        drop(state);
        drop(own);
        self.freed.notify_all();
    }

    /// The folders of the stores.
    pub(crate) fn folders(&self) -> &Folders {
        &self.folders
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_readers_are_open_the_longer_a_read_waits_before_it_opens_one_more() {
        let millis = |open| patience(open, 16).as_millis();
        assert_eq!([16, 31, 32, 48, 64, 80].map(millis), [10, 10, 40, 160, 640, 2_560]);
        assert!(patience(usize::MAX, 1) > Duration::from_secs(3_600));
    }
}
