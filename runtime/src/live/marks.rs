//! Who is to look again: wakers that are used once, and a mark that stays.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    task::{Wake, Waker},
};

use hashbrown::HashMap;

use crate::primitives::{Mutex, atomic::AtomicBool};

/// Those who watch a node, and whether the node itself is to look again. As a waker it passes news on: that is how dirtiness is pushed.
#[derive(Debug, Default)]
pub(super) struct Marks {
    marked: AtomicBool,
    wakers: Mutex<HashMap<u64, Waker>>,
}

impl Marks {
    /// Something happened: marks, and wakes whoever watches. Called without any lock.
    pub(super) fn mark(&self) {
        self.mark_only();
        self.wake_subscribers();
    }

    /// Wakes whoever watches, who may find nothing new.
    pub(super) fn wake_subscribers(&self) {
        let wakers = std::mem::take(&mut *self.wakers.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_values().for_each(Waker::wake);
    }

    /// Marks without waking anybody.
    pub(super) fn mark_only(&self) {
        self.marked.store(true, Ordering::SeqCst);
    }

    /// Takes the mark away, and tells whether it was there.
    pub(super) fn take(&self) -> bool {
        self.marked.swap(false, Ordering::SeqCst)
    }

    pub(super) fn watch(&self, who: u64, waker: &Waker) {
        // A waker is the executor's code, also to clone and to drop.
        let waker = waker.clone();
        let before = self.wakers.lock().unwrap_or_else(PoisonError::into_inner).insert(who, waker);
        drop(before);
    }

    pub(super) fn leave(&self, who: u64) {
        let before = self.wakers.lock().unwrap_or_else(PoisonError::into_inner).remove(&who);
        drop(before);
    }
}

impl Wake for Marks {
    fn wake(self: Arc<Self>) {
        self.mark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.mark();
    }
}
