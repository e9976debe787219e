//! Why a query failed, and which store was asked.

use std::{fmt, path::PathBuf};

use super::StoreError;
use crate::{store::StoreName, value::ValueError};

/// A query that failed: which store was asked, and why it did not answer.
///
/// ```
/// # use larder::{QueryError, QueryErrorKind};
/// fn none_or_several(error: &QueryError) -> bool {
///     matches!(error.kind(), QueryErrorKind::NotOne { .. })
/// }
/// ```
#[derive(Clone, PartialEq)]
pub struct QueryError {
    // Boxed, so that the result of a query is not larger for an error that is rare.
    inner: Box<Inner>,
}

#[derive(Clone, PartialEq)]
struct Inner {
    store: StoreName,
    kind: QueryErrorKind,
}

impl QueryError {
    pub(crate) fn new(store: StoreName, kind: QueryErrorKind) -> Self {
        Self { inner: Box::new(Inner { store, kind }) }
    }

    /// The store that was asked.
    pub fn store(&self) -> &StoreName {
        &self.inner.store
    }

    /// Why it did not answer.
    pub fn kind(&self) -> &QueryErrorKind {
        &self.inner.kind
    }

    /// The same, owned.
    pub fn into_kind(self) -> QueryErrorKind {
        self.inner.kind
    }
}

impl From<StoreError> for QueryError {
    fn from(error: StoreError) -> Self {
        Self::new(error.store().clone(), error.into())
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.kind {
            QueryErrorKind::Store(error) => error.fmt(formatter),
            kind => write!(formatter, "query of store {}: {kind}", self.inner.store),
        }
    }
}

impl fmt::Debug for QueryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { store, kind } = &*self.inner;
        formatter.debug_struct("QueryError").field("store", store).field("kind", kind).finish()
    }
}

impl std::error::Error for QueryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.kind.source()
    }
}

/// Why a query failed. [`Row::decode`](crate::Row::decode) returns it bare, [`QueryError`] adds the store that was asked, and inside a
/// materializer the error of the commit does.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryErrorKind {
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
    /// A number that SQLite computes does not fit 64 bits, such as a sum of integers.
    #[error(
        "a number that `{sql}` computes, such as a sum, does not fit an `i64`; ask for fewer rows, or add up in Rust"
    )]
    Overflow {
        /// The statement.
        sql: String,
    },
    /// SQL that reads several tables was asked of the union of many stores.
    #[error(
        "`{sql}` reads several tables, and in the union of many stores rows of different ones would meet; ask each store for itself, with `each`, or join with the query builder"
    )]
    SeveralTables {
        /// The statement.
        sql: String,
    },
    /// The materializer of a projection asked for a row of another source than that whose event it is given.
    #[error(
        "a row of source `{source_id}` was asked for while an event of another is materialized; name the key's source `SourceId::this()`"
    )]
    OtherSource {
        /// The source in the key.
        source_id: String,
    },
    /// Exactly one row was asked for.
    #[error("{found} where exactly one row of `{row}` was expected; use `first` or `Option<_>` if there may be none")]
    NotOne {
        /// The row type or table.
        row: &'static str,
        /// `no row`, or `more than one row`.
        found: &'static str,
    },
    /// A query that would wait for itself: from inside the store's own materializer; in memory also from inside its own `read`, or while
    /// the thread is inside of another store that somebody waits for who holds this one.
    #[error(
        "a query that would wait for itself, from inside a materializer or `read`; use the `Tables` or the snapshot that you were given, or query when that has ended"
    )]
    Reentrant,
    /// The store was evicted or shut down while the query ran.
    #[error("interrupted, the store is closing; get or open it again")]
    Interrupted,
    /// A backup was not made; nothing is left of it.
    #[error("the backup {} failed: {message}; back up into a new file, in a folder that can be written", file.display())]
    Backup {
        /// The new file.
        file: PathBuf,
        /// What SQLite or the operating system said.
        message: String,
    },
    /// A failure of storage.
    #[error("storage failed: {message}; query again once the cause is gone")]
    Storage {
        /// What SQLite or the operating system said.
        message: String,
    },
}
