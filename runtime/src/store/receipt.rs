//! What a commit returns.

use std::{fmt, sync::Arc};

use super::{Engine, confirm};
use crate::{error::SyncError, event::EventNumber};

/// The proof of a commit: its events are durable and visible, under these numbers. It holds no store.
#[derive(Clone)]
pub struct Receipt {
    numbers: Vec<EventNumber>,
    confirmation: confirm::Confirmation,
}

impl Receipt {
    pub(crate) fn new(engine: &Arc<Engine>, numbers: Vec<EventNumber>) -> Self {
        let confirmation = confirm::Confirmation::new(engine, numbers.last().copied());
        Self { numbers, confirmation }
    }

    /// The numbers of the commit's events, in order; none for an empty commit.
    pub fn numbers(&self) -> &[EventNumber] {
        &self.numbers
    }

    /// The number of the commit's last event; `None` for an empty commit.
    pub fn last(&self) -> Option<EventNumber> {
        self.numbers.last().copied()
    }

    /// Resolves when the sync backend has ordered the events.
    ///
    /// # Errors
    /// [`SyncError::NotConfigured`] when the store has no sync backend, [`SyncError::Store`] when the store goes before.
    pub async fn confirmed(&self) -> Result<(), SyncError> {
        self.confirmation.clone().await
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Receipt").field("numbers", &self.numbers).finish_non_exhaustive()
    }
}
