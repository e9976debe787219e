//! Why sync cannot do something.

use super::StoreError;
use crate::{event::EventNumber, store::StoreName};

/// Why sync cannot do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The store is gone.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A rebase has taken the event out of the log: it no longer materializes behind the events of others.
    #[error(
        "event {number} of store {store} is quarantined, it no longer materializes: {reason}; commit what is still meant by it, \
         `store.quarantined_events()` lists it"
    )]
    Quarantined {
        /// Which store.
        store: StoreName,
        /// The number that the event had last.
        number: EventNumber,
        /// Why it did not materialize.
        reason: String,
    },
    /// The store has no backend.
    #[error("store {store} has no sync backend; set `sync` in its definition, in the registry's defaults or at `get`")]
    NotConfigured {
        /// Which store.
        store: StoreName,
    },
}
