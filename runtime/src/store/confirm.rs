//! What the sync backend has not confirmed yet, and waiting for it.

use std::{
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use super::{
    Engine, StoreName,
    engine::Published,
    follow::{Followed, Quarantine},
    gate::Gate,
    watch::WatchSlot,
};
use crate::{
    error::{QueryError, StoreError, SyncError},
    event::{EventNumber, StoredEvent},
    storage::eventlog::{last_of, place_of},
    sync::{
        SyncNotes, SyncPhase, SyncStatus,
        processor::{Accepted, Stand},
    },
};

/// Synced events that the backend does not have yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unsent {
    /// The last number in the agreed order that it has.
    pub(crate) expected_head: u64,
    /// How often pending events had been moved before these were read.
    pub(crate) rebases: u64,
    /// The events after it, oldest first.
    pub(crate) events: Vec<StoredEvent>,
}

impl Engine {
    /// The first `limit` events that the backend has neither confirmed nor accepted.
    ///
    /// # Errors
    /// As of any read.
    pub(crate) fn unsent(&self, accepted: Option<&Accepted>, limit: usize) -> Result<Unsent, QueryError> {
        // First: what is moved between this and the read is seen to have been moved.
        let rebases = self.published.rebases();
        let expected_head = self.stand(accepted).accepted;
        let mut from = last_of(expected_head);
        let mut events = Vec::new();
        while events.len() < limit {
            let read = self.log_after(from, limit)?;
            let Some(last) = read.last() else { break };
            from = last.number;
            events.extend(read.into_iter().filter(|event| !event.number.is_client_only()));
        }
        events.truncate(limit);
        Ok(Unsent { expected_head, rebases, events })
    }

    /// Where the log stands.
    pub(crate) fn stand(&self, accepted: Option<&Accepted>) -> Stand {
        let rebases = self.published.rebases();
        let accepted = accepted.filter(|accepted| accepted.rebases == rebases).map_or(0, |accepted| accepted.head);
        let confirmed = self.published.confirmed();
        Stand { confirmed, accepted: accepted.max(confirmed), head: self.head().global() }
    }

    /// Up to which number in the agreed order the backend has confirmed.
    pub(crate) fn confirmed(&self) -> u64 {
        self.published.confirmed()
    }

    /// How often pending events were moved since the load.
    pub(crate) fn rebases(&self) -> u64 {
        self.published.rebases()
    }

    /// How sync stands.
    pub(crate) fn sync_status(&self) -> SyncStatus {
        let status = self.sync.status(self.head(), self.published.confirmed(), self.unsent_events());
        match self.gate.check_read() {
            // Nobody keeps it in sync any more, and what was noted last is what was when it stopped.
            Err(error @ StoreError::Stopped { .. }) if self.has_backend() => {
                SyncStatus { phase: SyncPhase::Stopped, last_error: Some(error.into()), ..status }
            }
            _ => status,
        }
    }

    /// Notes something of the sync, and wakes who watches it.
    pub(crate) fn note_sync(&self, note: impl FnOnce(&SyncNotes)) {
        note(&self.sync);
        self.watchers.wake_all();
    }

    /// Why something failed: the store takes no writes any more, or goes on and can be asked again.
    pub(super) fn failed_or_gone(&self, message: String) -> StoreError {
        self.gate.check_write().err().unwrap_or_else(|| StoreError::Storage { store: self.store(), message })
    }

    /// The last event that streams show: all committed ones, or with a backend all confirmed ones.
    pub(super) fn last_confirmed(&self) -> EventNumber {
        let head = self.head();
        if self.has_backend() { head.min(last_of(self.published.confirmed())) } else { head }
    }
}

/// Waits until an event is confirmed. Holds no store.
pub(super) struct Confirmation {
    engine: Weak<Engine>,
    published: Arc<Published>,
    gate: Arc<Gate>,
    store: StoreName,
    /// `None` without a backend, or for a commit without events.
    followed: Option<Arc<Followed>>,
    has_backend: bool,
    slot: WatchSlot,
}

impl Confirmation {
    pub(super) fn new(engine: &Arc<Engine>, followed: Option<Arc<Followed>>) -> Self {
        Self {
            engine: Arc::downgrade(engine),
            published: Arc::clone(&engine.published),
            gate: Arc::clone(&engine.gate),
            store: engine.store(),
            followed,
            has_backend: engine.has_backend(),
            slot: WatchSlot::default(),
        }
    }

    fn state(&self) -> Poll<Result<(), SyncError>> {
        if !self.has_backend {
            return Poll::Ready(Err(SyncError::NotConfigured { store: self.store.clone() }));
        }
        let Some(followed) = &self.followed else { return Poll::Ready(Ok(())) };
        // First how far the log is confirmed: an event that is renumbered is moved before the head of after that is known.
        let confirmed = last_of(self.published.confirmed());
        let whereabouts = followed.whereabouts();
        if let Some(Quarantine { number, reason }) = whereabouts.quarantined {
            return Poll::Ready(Err(SyncError::Quarantined { store: self.store.clone(), number, reason }));
        }
        match (whereabouts.is_confirmed(place_of(confirmed)), self.gate.check_read()) {
            (true, _) => Poll::Ready(Ok(())),
            (false, Err(error)) => Poll::Ready(Err(error.into())),
            (false, Ok(())) => Poll::Pending,
        }
    }
}

impl Clone for Confirmation {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            published: Arc::clone(&self.published),
            gate: Arc::clone(&self.gate),
            store: self.store.clone(),
            followed: self.followed.clone(),
            slot: WatchSlot::default(),
            has_backend: self.has_backend,
        }
    }
}

impl Future for Confirmation {
    type Output = Result<(), SyncError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(engine) = self.engine.upgrade() {
            engine.watchers.watch(&mut self.slot, context.waker());
        }
        self.state()
    }
}

impl Drop for Confirmation {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.upgrade() {
            engine.watchers.leave(&mut self.slot);
        }
    }
}
