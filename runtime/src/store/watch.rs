//! Who waits for the next commit: tasks that are woken, nothing else.

use std::{
    sync::{Arc, PoisonError, Weak, atomic::Ordering},
    task::Waker,
};

use super::Engine;
use crate::primitives::{Mutex, MutexGuard, atomic::AtomicUsize};

/// Tasks that wait for the next commit. A commit without any costs one atomic load.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    waiting: AtomicUsize,
    // Shared, so that whoever wakes takes them out of the lock without the executor's `clone`.
    slots: Mutex<Vec<Option<Arc<Waker>>>>,
}

/// One waiting task's place, kept from poll to poll.
#[derive(Debug, Default)]
pub(crate) struct WatchSlot(Option<usize>);

impl Watchers {
    /// Wakes `waker` at the next commit. Look for news after this call, not before, or a commit in between is missed.
    pub(crate) fn watch(&self, slot: &mut WatchSlot, waker: &Waker) {
        // The executor's code, as is the drop of the one before: not under the lock.
        let waker = Arc::new(waker.clone());
        let mut slots = self.lock();
        let at = match slot.0 {
            Some(at) => at,
            None => {
                let free = slots.iter().position(Option::is_none).unwrap_or(slots.len());
                if free == slots.len() {
                    slots.push(None);
                }
                self.waiting.fetch_add(1, Ordering::SeqCst);
                free
            }
        };
        slot.0 = Some(at);
        let before = slots[at].replace(waker);
        drop(slots);
        drop(before);
    }

    /// Gives the place back.
    pub(crate) fn leave(&self, slot: &mut WatchSlot) {
        if let Some(at) = slot.0.take() {
            let left = self.lock()[at].take();
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            drop(left);
        }
    }

    /// Wakes everybody who waits. Called without any lock: a waker is the executor's code.
    pub(crate) fn wake_all(&self) {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let wakers: Vec<Arc<Waker>> = self.lock().iter().flatten().map(Arc::clone).collect();
        wakers.iter().for_each(|waker| waker.wake_by_ref());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Arc<Waker>>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A waker that every commit of one store wakes, or its end alone, until this is dropped. It does not keep the store.
pub(crate) struct CommitWatch {
    engine: Weak<Engine>,
    slot: WatchSlot,
    of: fn(&Engine) -> &Watchers,
}

impl CommitWatch {
    pub(crate) fn new(engine: &Arc<Engine>, waker: &Waker) -> Self {
        Self::among(engine, waker, |engine| &engine.watchers)
    }

    /// Of the end of the store.
    pub(crate) fn of_the_end(engine: &Arc<Engine>, waker: &Waker) -> Self {
        Self::among(engine, waker, |engine| &engine.ending)
    }

    fn among(engine: &Arc<Engine>, waker: &Waker, of: fn(&Engine) -> &Watchers) -> Self {
        let mut slot = WatchSlot::default();
        of(engine).watch(&mut slot, waker);
        Self { engine: Arc::downgrade(engine), slot, of }
    }

    /// Whether the store is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.engine.strong_count() == 0
    }
}

impl Drop for CommitWatch {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.upgrade() {
            (self.of)(&engine).leave(&mut self.slot);
        }
    }
}
