//! What a commit returns.

use std::{fmt, sync::Arc};

use super::{Engine, commit::Committed, confirm};
use crate::{error::SyncError, event::EventNumber};

/// The proof of a commit: its events are durable and visible, under these numbers. It holds no store.
#[derive(Clone)]
pub struct Receipt {
    numbers: Vec<EventNumber>,
    confirmation: confirm::Confirmation,
}

impl Receipt {
    pub(crate) fn new(engine: &Arc<Engine>, committed: Committed) -> Self {
        let confirmation = confirm::Confirmation::new(engine, committed.followed);
        Self { numbers: committed.numbers, confirmation }
    }

    /// The numbers of the commit's events, in order, as they were when it returned; none for an empty commit. A rebase gives them others.
    pub fn numbers(&self) -> &[EventNumber] {
        &self.numbers
    }

    /// The number of the commit's last event; `None` for an empty commit.
    pub fn last(&self) -> Option<EventNumber> {
        self.numbers.last().copied()
    }

    /// Resolves when the sync backend has ordered the events, whatever numbers they have come to have. Where the store's sync has stopped
    /// ([`SyncPhase::Stopped`](crate::SyncPhase::Stopped)) it waits until the store goes. A store's sync
    /// begins when its load has ended, `on_load` included: that must not wait for this.
    ///
    /// # Errors
    /// [`SyncError::Quarantined`] when a rebase has taken one of them out of the log, [`SyncError::NotConfigured`] when the store has no sync backend, [`SyncError::Store`] when the store goes before.
    pub async fn confirmed(&self) -> Result<(), SyncError> {
        self.confirmation.clone().await
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Receipt").field("numbers", &self.numbers).finish_non_exhaustive()
    }
}
