//! Why a query failed.

use super::StoreError;
use crate::{store::StoreName, value::ValueError};

/// Why a query failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The store answers no queries any more.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// SQLite refused the statement.
    #[error("SQLite refused `{sql}`: {message}; change the statement")]
    Sql {
        /// The statement.
        sql: String,
        /// SQLite's words.
        message: String,
    },
    /// The row type asks for a column that the statement does not have.
    #[error(
        "`{row}` needs a column `{column}`, and `{sql}` has {found}; name the column with `AS {column}`, or rename the field"
    )]
    MissingColumn {
        /// The row type or table.
        row: &'static str,
        /// The column that it needs.
        column: String,
        /// The statement.
        sql: String,
        /// The columns that the statement has.
        found: String,
    },
    /// A row does not decode.
    #[error(
        "column `{column}` of a row of `{row}` does not decode: {source}; run `Store::verify`, or raise the schema's `version` if the column's type changed"
    )]
    Decode {
        /// The row type or table.
        row: &'static str,
        /// The column.
        column: String,
        /// What is wrong with it.
        source: ValueError,
    },
    /// A parameter has no stored form.
    #[error("a value of the query cannot be compared: {0}")]
    Value(#[from] ValueError),
    /// Exactly one row was asked for.
    #[error("{found} where exactly one row of `{row}` was expected; use `first` or `Option<_>` if there may be none")]
    NotOne {
        /// The row type or table.
        row: &'static str,
        /// `no row`, or `more than one row`.
        found: &'static str,
    },
    /// A query on a single-connection store from inside its own read or materializer.
    #[error(
        "a query of store {store} from inside its own materializer or `read`; use the `Tables` or the snapshot that you were given"
    )]
    Reentrant {
        /// Which store.
        store: StoreName,
    },
    /// The store was evicted or shut down while the query ran.
    #[error("the query was interrupted, store {store} is closing; get it from the registry again")]
    Interrupted {
        /// Which store.
        store: StoreName,
    },
    /// A failure of storage.
    #[error("storage failed: {message}; query again once the cause is gone")]
    Storage {
        /// What SQLite or the operating system said.
        message: String,
    },
}
