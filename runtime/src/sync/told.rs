//! What the sync backend of one store is told of who asks.

use std::sync::PoisonError;

use tokio::sync::Notify;

use crate::{options::Payload, primitives::Mutex};

/// What the sync backend of one store is told of who asks; it can be replaced while the store is loaded.
#[derive(Debug)]
pub(crate) struct Told {
    payload: Mutex<Payload>,
    /// It was replaced since somebody looked.
    replaced: Notify,
}

impl Told {
    pub(crate) fn new(payload: Payload) -> Self {
        Self { payload: Mutex::new(payload), replaced: Notify::new() }
    }

    /// What is said from now on.
    pub(crate) fn replace(&self, payload: Payload) {
        let is_other;
        let before = {
            let mut now = self.payload.lock().unwrap_or_else(PoisonError::into_inner);
            is_other = !now.same(&payload);
            std::mem::replace(&mut *now, payload)
        };
        if is_other {
            self.replaced.notify_one();
        }
        // It may be the app's, whose `Drop` may come back here: not under the lock.
        drop(before);
    }

    /// What is said now.
    pub(crate) fn payload(&self) -> Payload {
        self.payload.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Resolves when something else is said than before the last time that it resolved.
    pub(crate) async fn replaced(&self) {
        self.replaced.notified().await;
    }
}
