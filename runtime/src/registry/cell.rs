//! An outcome that many wait for: set once, then everybody who waits is woken.

use std::{
    sync::{OnceLock, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::primitives::{Mutex, MutexGuard};

/// An outcome that many wait for.
pub(crate) struct Cell<T> {
    outcome: OnceLock<T>,
    wakers: Mutex<Vec<Option<Waker>>>,
}

/// One waiter's place in a cell, kept from poll to poll.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<usize>);

impl<T> Default for Cell<T> {
    fn default() -> Self {
        Self { outcome: OnceLock::new(), wakers: Mutex::default() }
    }
}

impl<T> Cell<T> {
    /// The outcome, once there is one.
    pub(crate) fn get(&self) -> Option<&T> {
        self.outcome.get()
    }

    /// Settles the outcome; the first one counts. Wakes nobody, so that it may be called under a lock.
    pub(crate) fn set(&self, outcome: T) {
        let _ = self.outcome.set(outcome);
    }

    /// Wakes everybody who waits. A waker is the executor's code: no lock may be held.
    pub(crate) fn wake(&self) {
        let wakers = std::mem::take(&mut *self.lock());
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// The outcome, or a wake-up when there is one.
    pub(crate) fn poll(&self, place: &mut Place, context: &Context<'_>) -> Poll<&T> {
        if let Some(outcome) = self.outcome.get() {
            return Poll::Ready(outcome);
        }
        // The executor's code, as is the drop of the one before: not under the lock.
        let waker = context.waker().clone();
        let mut wakers = self.lock();
        let at = *place.0.get_or_insert_with(|| wakers.iter().position(Option::is_none).unwrap_or(wakers.len()));
        if at >= wakers.len() {
            wakers.resize(at + 1, None);
        }
        let before = wakers[at].replace(waker);
        drop(wakers);
        drop(before);
        // It may have been set before the waker was there.
        self.outcome.get().map_or(Poll::Pending, Poll::Ready)
    }

    /// Gives a waiter's place back.
    pub(crate) fn leave(&self, place: &mut Place) {
        let Some(at) = place.0.take() else { return };
        let left = self.lock().get_mut(at).and_then(Option::take);
        drop(left);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Waker>>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
