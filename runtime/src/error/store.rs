//! Why a handle no longer works.

use crate::store::StoreName;

/// Why a store cannot do anything, or cannot write, any more. Carried by [`CommitError`](super::CommitError),
/// [`QueryError`](super::QueryError) and [`SyncError`](super::SyncError).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The handle belongs to a load that ended: by `evict` or `clear`, by a handle's `close`, or after its gc time.
    #[error("store {store} was evicted; get or open it again")]
    Evicted {
        /// Which store.
        store: StoreName,
    },
    /// The registry was shut down or dropped, or the store was closed.
    #[error("store {store} is closed; its registry was shut down or dropped, build a new one")]
    Closed {
        /// Which store.
        store: StoreName,
    },
    /// The store stopped for good.
    #[error("store {store} stopped: {reason}; get it again once the cause is gone, or export it with `larder::doctor`")]
    Stopped {
        /// Which store.
        store: StoreName,
        /// What happened.
        reason: String,
    },
    /// Storage failed once. The store goes on.
    #[error("storage of store {store} failed: {message}; try again once the cause is gone")]
    Storage {
        /// Which store.
        store: StoreName,
        /// What SQLite or the operating system said.
        message: String,
    },
    /// A sync to disk failed, so what later writes would build on is not known to be safe. The commit that failed is not there, also
    /// after a crash of the process; after a loss of power it may be, whole.
    #[error("store {store} takes no more writes, a sync to disk failed: {reason}; evict it and get it again")]
    Poisoned {
        /// Which store.
        store: StoreName,
        /// What the operating system said.
        reason: String,
    },
}

impl StoreError {
    /// Which store.
    pub fn store(&self) -> &StoreName {
        match self {
            Self::Evicted { store }
            | Self::Closed { store }
            | Self::Stopped { store, .. }
            | Self::Storage { store, .. }
            | Self::Poisoned { store, .. } => store,
        }
    }
}
