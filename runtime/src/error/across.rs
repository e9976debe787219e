//! Why a query over many stores failed, as a whole or in one of them.

use std::sync::Arc;

use super::{CommitErrorKind, LoadError, QueryError, QueryErrorKind};
use crate::store::StoreName;

/// Why a query over many stores failed: as a whole, or in one store, whose rows are missing then.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcrossError {
    /// A store is not there, is open elsewhere, or cannot be loaded; of the whole query: an id is none, the definition's name is another
    /// type's, or the registry was shut down.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A store does not answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// What the stores have answered does not make a result.
    #[error("query over stores of `{definition}`: {source}")]
    Union {
        /// The definition's name.
        definition: &'static str,
        /// Why not.
        source: QueryErrorKind,
    },
    /// The registry was shut down: a subscription ends.
    #[error("stores of `{definition}`: the registry was shut down; build another one to go on")]
    ShutDown {
        /// The definition's name.
        definition: &'static str,
    },
    /// What its sources have could not be written into a projection, which is as it was.
    #[error("rows of projection {projection} were not written: {source}; `catch_up` goes on where it stopped")]
    NotProjected {
        /// The projection.
        projection: StoreName,
        /// Why not.
        source: Arc<CommitErrorKind>,
    },
    /// Code of the app panicked while rows were decoded.
    #[error("query over stores of `{definition}`: the app's code panicked: {message}; mend that")]
    Panicked {
        /// The definition's name.
        definition: &'static str,
        /// The panic's message.
        message: String,
    },
}
