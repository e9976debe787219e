//! Who watches a registry, and how they hear of changes.

use std::{
    sync::{PoisonError, atomic::Ordering},
    task::Waker,
};

use crate::primitives::{
    Mutex,
    atomic::{AtomicU64, AtomicUsize},
};

/// Changes of a registry. Without watchers a change costs one atomic load.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    watchers: AtomicUsize,
    version: AtomicU64,
    wakers: Mutex<Vec<Waker>>,
}

impl Signals {
    /// Something changed. Not to be called under a lock: it wakes tasks.
    pub(crate) fn changed(&self) {
        if self.watchers.load(Ordering::SeqCst) != 0 {
            self.notify();
        }
    }

    #[cold]
    fn notify(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
        let wakers = std::mem::take(&mut *self.wakers.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn enter(&self) {
        self.watchers.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn leave(&self) {
        self.watchers.fetch_sub(1, Ordering::SeqCst);
    }

    /// The version, with a wake-up at the next one when it is still `seen`.
    pub(super) fn version(&self, seen: Option<u64>, waker: &Waker) -> u64 {
        let version = self.version.load(Ordering::Acquire);
        if seen != Some(version) {
            return version;
        }
        // The executor's code: not under the lock.
        let mut own = Some(waker.clone());
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.extend(own.take());
        }
        drop(wakers);
        self.version.load(Ordering::Acquire)
    }
}
