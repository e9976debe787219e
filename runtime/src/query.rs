//! Typed queries: by key, filter, order, limit, count, first, one; raw SQL for the rest; tuples of queries on one snapshot.

mod by_key;
mod predicate;
mod row;
mod select;
mod sql;
mod tuple;

pub use by_key::ByKey;
pub use predicate::{Comparison, Predicate};
pub use row::{Row, RowRef};
pub use select::{Count, Exists, First, One, Select};
pub use sql::{SqlQuery, SqlShape};

use crate::{error::QueryError, value::ValueRef};

/// Something that can be asked of a store.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a query",
    label = "expected `Table::all()`, `Table::filter(..)`, `Table::by_key(..)`, a query of the store's `queries {{ .. }}`, or a tuple of these"
)]
pub trait Query {
    /// What comes back.
    type Output: Send + Sync + 'static;

    /// Runs the query on one consistent state.
    #[doc(hidden)]
    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryError>;
}

/// A query that may be asked of store definition `D`: all its tables are in `D`'s schema.
#[diagnostic::on_unimplemented(
    message = "this query does not fit `{D}`",
    note = "ask a store whose schema has the query's tables, or add them to its `#[schema(tables(..))]`"
)]
pub trait Fits<D>: Query {}

/// Where a query runs: a connection that holds one consistent state. The storage layer implements it.
pub trait Reads {
    /// Runs `sql`, calls `each` for every row until it answers `false`.
    ///
    /// # Errors
    /// What SQLite refuses, and what `each` returns.
    fn rows(
        &mut self,
        sql: &str,
        params: &[ValueRef<'_>],
        each: &mut dyn FnMut(&RowRef<'_>) -> Result<bool, QueryError>,
    ) -> Result<(), QueryError>;
}
