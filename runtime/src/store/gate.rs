//! Whether a store still answers: open, poisoned (reads only), or stopped.

use std::sync::{PoisonError, atomic::Ordering};

use crate::{
    error::StoreError,
    primitives::{Mutex, atomic::AtomicU8},
};

const OPEN: u8 = 0;
const POISONED: u8 = 1;
const STOPPED: u8 = 2;

/// Asked before every call; one atomic load while the store is open.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: AtomicU8,
    error: Mutex<Option<StoreError>>,
}

impl Gate {
    /// Whether reads are answered.
    pub(crate) fn check_read(&self) -> Result<(), StoreError> {
        if self.state.load(Ordering::Acquire) < STOPPED { Ok(()) } else { self.refuse() }
    }

    /// Whether commits are taken.
    pub(crate) fn check_write(&self) -> Result<(), StoreError> {
        if self.state.load(Ordering::Acquire) == OPEN { Ok(()) } else { self.refuse() }
    }

    /// No commits from now on. What stopped the store before stays.
    pub(crate) fn poison(&self, error: StoreError) {
        self.raise(POISONED, error);
    }

    /// Nothing is answered from now on; false when that was so before.
    pub(crate) fn stop(&self, error: StoreError) -> bool {
        self.raise(STOPPED, error)
    }

    fn raise(&self, to: u8, error: StoreError) -> bool {
        let mut slot = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        let raised = self.state.load(Ordering::Acquire) < to;
        if raised {
            *slot = Some(error);
            self.state.store(to, Ordering::Release);
        }
        raised
    }

    fn refuse(&self) -> Result<(), StoreError> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }
}

/// Calls and quiet times: when maintenance is due.
#[derive(Debug, Default)]
pub(crate) struct Activity(AtomicU8);

const IDLE: u8 = 0;
const BUSY: u8 = 1;
const QUIET: u8 = 2;

impl Activity {
    /// Notes a call; true for the first one after idleness.
    pub(crate) fn call(&self) -> bool {
        if self.0.load(Ordering::Relaxed) == BUSY {
            return false;
        }
        self.0.swap(BUSY, Ordering::Relaxed) == IDLE
    }

    /// Looks whether there were calls since the last look: true when there were none, and the store is idle from now on.
    pub(crate) fn settle(&self) -> bool {
        if self.0.compare_exchange(BUSY, QUIET, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return false;
        }
        self.0.compare_exchange(QUIET, IDLE, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            || self.0.load(Ordering::Relaxed) == IDLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(name: &str) -> StoreError {
        StoreError::Closed { store: crate::store::StoreName::new("d", name.parse().unwrap()) }
    }

    #[test]
    fn a_poisoned_store_is_read_and_a_stopped_one_is_not() {
        let gate = Gate::default();
        assert_eq!((gate.check_read(), gate.check_write()), (Ok(()), Ok(())));
        gate.poison(closed("a"));
        assert_eq!((gate.check_read(), gate.check_write()), (Ok(()), Err(closed("a"))));
        assert!(gate.stop(closed("b")));
        assert!(!gate.stop(closed("c")));
        gate.poison(closed("d"));
        assert_eq!((gate.check_read(), gate.check_write()), (Err(closed("b")), Err(closed("b"))));
    }

    #[test]
    fn idle_is_a_whole_look_without_a_call() {
        let activity = Activity::default();
        assert!(activity.settle());
        assert!(activity.call());
        assert!(!activity.call());
        assert!(!activity.settle());
        assert!(!activity.call());
        assert!(!activity.settle());
        assert!(activity.settle());
        assert!(activity.call());
    }
}
