//! Why a store could not be deleted.

use crate::{error::LoadError, id::StoreIdError, store::StoreName};

/// Why a store could not be deleted. Its data is untouched, except for a failure of storage half-way.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// The id is not one.
    #[error("store id for definition `{definition}`: {source}")]
    Id {
        /// The definition's name.
        definition: &'static str,
        /// What is wrong with the id.
        source: StoreIdError,
    },
    /// Somebody uses the store.
    #[error("store {store} has {observers} observers; drop their handles first")]
    Observed {
        /// Which store.
        store: StoreName,
        /// How many.
        observers: usize,
    },
    /// The backend does not have all of its events.
    #[error(
        "store {store} has {events} events that its backend does not have; let them be sent, or delete it with `.forced()`"
    )]
    Unsent {
        /// Which store.
        store: StoreName,
        /// How many events.
        events: u64,
    },
    /// The store is open elsewhere.
    #[error("store {store} is open in {holder}; close it there")]
    Locked {
        /// Which store.
        store: StoreName,
        /// `process 123`, or `this process`.
        holder: String,
    },
    /// To know whether events are unsent the store had to be opened, and that failed.
    #[error("it is not known whether store {store} has unsent events: {source}; delete it with `.forced()`")]
    Unknown {
        /// Which store.
        store: StoreName,
        /// Why it could not be opened.
        source: Box<LoadError>,
    },
    /// A failure of storage.
    #[error("deleting store {store} failed: {message}; delete it again once the cause is gone")]
    Storage {
        /// Which store.
        store: StoreName,
        /// What SQLite or the operating system said.
        message: String,
    },
    /// The registry was shut down.
    #[error("store {store} was not deleted, its registry is shut down; build a new one")]
    ShutDown {
        /// Which store.
        store: StoreName,
    },
    /// Two definitions use one name.
    #[error(transparent)]
    Definition(Box<LoadError>),
}
