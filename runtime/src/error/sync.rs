//! Why sync cannot do something.

use super::StoreError;
use crate::store::StoreName;

/// Why sync cannot do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The store is gone.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store has no backend.
    #[error("store {store} has no sync backend; set `sync` in its definition, in the registry's defaults or at `get`")]
    NotConfigured {
        /// Which store.
        store: StoreName,
    },
}
