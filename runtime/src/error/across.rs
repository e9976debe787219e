//! Why a query over many stores failed, as a whole or in one of them.

use super::{LoadError, QueryError, QueryErrorKind};

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
    /// Code of the app panicked while rows were decoded.
    #[error("query over stores of `{definition}`: the app's code panicked: {message}; mend that")]
    Panicked {
        /// The definition's name.
        definition: &'static str,
        /// The panic's message.
        message: String,
    },
}
