//! Reader connections: a bounded number for all stores of a registry, taken for a read and given back after it.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, atomic::Ordering},
};

use crate::{
    primitives::{Mutex, MutexGuard, atomic::AtomicU64},
    storage::sqlite::{Connection, Interrupter},
};

/// Reader connections of all stores of a registry, at most so many at a time. It never waits: when all are in use, a read
/// takes its store's own connection.
pub(crate) struct ReaderPool {
    max: usize,
    next_store: AtomicU64,
    state: Mutex<PoolState>,
    // Folders whose file system has been looked at.
    folders: Mutex<HashSet<PathBuf>>,
}

#[derive(Default)]
struct PoolState {
    open: usize,
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
    /// All are in use.
    Exhausted,
}

impl ReaderPool {
    /// A pool of at most `max` connections.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, next_store: AtomicU64::new(0), state: Mutex::default(), folders: Mutex::default() }
    }

    pub(crate) fn register(&self) -> PoolKey {
        PoolKey(self.next_store.fetch_add(1, Ordering::Relaxed))
    }

    /// A reader of this store, or leave to open one; another store's idle reader is closed for it.
    pub(crate) fn take(&self, store: PoolKey) -> Lease {
        let mut state = self.lock();
        if let Some(at) = state.idle.iter().rposition(|(key, _)| *key == store) {
            return Lease::Idle(state.idle.remove(at).1);
        }
        if state.open < self.max {
            state.open += 1;
            return Lease::Open;
        }
        if state.idle.is_empty() {
            return Lease::Exhausted;
        }
        let (_, unused) = state.idle.remove(0);
        drop(state);
        // Closing is file work, so it happens without the lock. The count stays: it is the new reader's now.
        drop(unused);
        Lease::Open
    }

    /// Gives a reader back, to be used again.
    pub(crate) fn give_back(&self, store: PoolKey, reader: Reader) {
        self.lock().idle.push((store, reader));
    }

    /// A reader was closed, or could not be opened.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        state.open = state.open.saturating_sub(1);
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
    }

    /// Whether this folder's file system has not been looked at yet.
    pub(crate) fn is_new_folder(&self, folder: &Path) -> bool {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        !folders.contains(folder) && folders.insert(folder.to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
