//! What this thread is inside of: a materializer, or a `read`, of which store. It turns a deadlock into an error.
//!
//! A thread that is inside of one store may call another, and may have to wait for that one's connection. Two threads that do so the
//! other way round would wait for ever. So whoever waits while it holds a connection says so first, and does not wait if that would close a
//! circle. Who holds nothing is not in it, and pays nothing for it.

use std::{
    cell::RefCell,
    sync::{PoisonError, atomic::Ordering},
};

use crate::primitives::{Mutex, MutexGuard, atomic::AtomicU64, thread_local};

/// What a thread is inside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// A materializer, which has the store's own connection.
    Materializer,
    /// A read on the store's own connection.
    ReadAlone,
    /// A read on a reader: nobody waits for it.
    Read,
}

impl Inside {
    fn holds(self) -> bool {
        matches!(self, Self::Materializer | Self::ReadAlone)
    }
}

thread_local! {
    static STACK: RefCell<Vec<(usize, Inside)>> = const { RefCell::new(Vec::new()) };
}

/// Leaves when dropped, also by a panic.
pub(crate) struct Entered(());

/// Enters; `store` tells stores apart.
pub(crate) fn enter(store: usize, what: Inside) -> Entered {
    STACK.with(|stack| stack.borrow_mut().push((store, what)));
    Entered(())
}

/// The innermost thing of this store that the thread is inside of; a materializer counts before a read.
pub(crate) fn inside(store: usize) -> Option<Inside> {
    STACK.with(|stack| {
        let stack = stack.borrow();
        let mut all = stack.iter().filter(|(of, _)| *of == store).map(|(_, what)| *what);
        all.clone().find(|what| *what == Inside::Materializer).or_else(|| all.next())
    })
}

/// Whether the thread is inside of any store.
pub(crate) fn inside_any() -> bool {
    STACK.with(|stack| !stack.borrow().is_empty())
}

impl Drop for Entered {
    fn drop(&mut self) {
        STACK.with(|stack| stack.borrow_mut().pop());
    }
}

/// Threads that hold connections and wait for another.
static WAITING: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

static NEXT: AtomicU64 = AtomicU64::new(0);

struct Entry {
    id: u64,
    holds: Vec<usize>,
    wants: usize,
}

/// A thread that holds a connection waits for another; until this is dropped. To be dropped when it has that one, by whoever gives it.
#[derive(Debug)]
pub(crate) struct Waiting {
    id: u64,
}

/// Waiting would be for ever: a thread that holds the wanted connection waits for one that this thread holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Circle;

/// To be called before waiting for a store's own connection; `None` for a thread that holds none.
pub(crate) fn wait_for(store: usize) -> Result<Option<Waiting>, Circle> {
    let holds: Vec<usize> =
        STACK.with(|stack| stack.borrow().iter().filter(|(_, what)| what.holds()).map(|(of, _)| *of).collect());
    if holds.is_empty() { Ok(None) } else { wait_holding(holds, store).map(Some) }
}

fn wait_holding(holds: Vec<usize>, wants: usize) -> Result<Waiting, Circle> {
    let mut waiting = lock();
    // The wanted store, those that its holder waits for, and so on.
    let mut reached = vec![wants];
    let mut at = 0;
    while let Some(store) = reached.get(at).copied() {
        if holds.contains(&store) {
            return Err(Circle);
        }
        for entry in waiting.iter().filter(|entry| entry.holds.contains(&store)) {
            if !reached.contains(&entry.wants) {
                reached.push(entry.wants);
            }
        }
        at += 1;
    }
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    waiting.push(Entry { id, holds, wants });
    Ok(Waiting { id })
}

impl Drop for Waiting {
    fn drop(&mut self) {
        lock().retain(|entry| entry.id != self.id);
    }
}

fn lock() -> MutexGuard<'static, Vec<Entry>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_is_known_and_left() {
        assert_eq!((inside(1), inside_any()), (None, false));
        let outer = enter(1, Inside::Read);
        {
            let _inner = enter(1, Inside::Materializer);
            assert_eq!((inside(1), inside(2)), (Some(Inside::Materializer), None));
        }
        assert_eq!((inside(1), inside_any()), (Some(Inside::Read), true));
        drop(outer);
        assert_eq!(inside(1), None);
    }

    #[test]
    fn a_circle_of_any_length_is_seen_and_a_chain_is_none() {
        // No other test has stores with these numbers.
        let first = wait_holding(vec![11], 12).unwrap();
        let second = wait_holding(vec![12, 13], 14).unwrap();
        assert_eq!(wait_holding(vec![14], 11).unwrap_err(), Circle);
        let third = wait_holding(vec![15], 11).unwrap();
        drop(first);
        let fourth = wait_holding(vec![14], 11).unwrap();
        drop((second, third, fourth));
    }

    #[test]
    fn who_holds_nothing_or_a_reader_only_waits_for_anybody() {
        assert!(wait_for(21).unwrap().is_none());
        let _read = enter(22, Inside::Read);
        assert!(wait_for(21).unwrap().is_none());
        let _alone = enter(23, Inside::ReadAlone);
        assert!(wait_for(21).unwrap().is_some());
    }
}
