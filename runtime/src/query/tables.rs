//! The tables of a query: one, or several that are joined, and where each of them stands.

use std::marker::PhantomData;

use super::{RowRef, spec::ColumnAt};
use crate::{
    error::QueryErrorKind,
    table::{Column, Table},
    value::{ColumnValue, NotNull},
};

/// What a query reads from, written as what one whole row of it is: a table, `Issue`, or a tuple of joined ones, `(Issue, Comment)`, where
/// `(Issue, Option<Comment>)` is a left join.
#[diagnostic::on_unimplemented(
    message = "a query cannot read from `{Self}`",
    label = "expected a table, or a tuple of tables that are joined"
)]
pub trait FromTables: Sized + Send + Sync + 'static {
    /// The first table, which the others are joined to.
    type First: Table;

    /// The other tables, as a list.
    #[doc(hidden)]
    type __Others;

    /// One whole row.
    #[doc(hidden)]
    fn __whole(row: &RowRef<'_>) -> Result<Self, QueryErrorKind>;
}

impl<T: Table> FromTables for T {
    type First = T;
    type __Others = ();

    fn __whole(row: &RowRef<'_>) -> Result<Self, QueryErrorKind> {
        T::decode(row)
    }
}

/// One table of a join: `Comment`, or `Option<Comment>` where there may be no row.
pub trait JoinedTable: Sized + Send + Sync + 'static {
    /// The table.
    type Table: Table;

    /// How many columns it has.
    #[doc(hidden)]
    fn __columns() -> usize {
        Self::Table::schema().columns.len()
    }

    /// Its part of a whole row.
    #[doc(hidden)]
    fn __part(row: &RowRef<'_>) -> Result<Self, QueryErrorKind>;
}

#[diagnostic::do_not_recommend]
impl<T: Table> JoinedTable for T {
    type Table = T;

    fn __part(row: &RowRef<'_>) -> Result<Self, QueryErrorKind> {
        T::decode(row)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Table> JoinedTable for Option<T> {
    type Table = T;

    fn __part(row: &RowRef<'_>) -> Result<Self, QueryErrorKind> {
        // A primary key is never `NULL`, unless there is no row.
        let is_there = T::schema().primary_key.iter().any(|column| row.value(*column) != crate::ValueRef::Null);
        is_there.then(|| T::decode(row)).transpose()
    }
}

/// A query that has table `T`. `P` is where, and inferred.
#[diagnostic::on_unimplemented(
    message = "`{T}` is not in this query",
    label = "this query reads from `{Self}`",
    note = "join `{T}` first, or use a column of the query's own tables"
)]
pub trait Includes<T, P: Position>: FromTables {}

#[diagnostic::do_not_recommend]
impl<T: Table> Includes<T, At<0, Required>> for T {}

/// Where a table stands among those of a query, and whether each row has one of its rows.
pub trait Position {
    /// Whether each row has one of its rows.
    type Side;

    /// Counted from 0.
    #[doc(hidden)]
    const __PLACE: usize;
}

/// The table at place `N`. Inferred, and never written.
pub struct At<const N: usize, S>(PhantomData<fn() -> S>);

impl<const N: usize, S> Position for At<N, S> {
    type Side = S;

    const __PLACE: usize = N;
}

/// Each row has a row of the table.
pub enum Required {}

/// A row may have none of the table: the right side of a left join.
pub enum Nullable {}

/// What a column of type `V` is on this side of a join: on the right side of a left join an `Option`, and never one of an `Option`.
#[diagnostic::on_unimplemented(
    message = "`{V}` cannot be `NULL`, and a left join or an aggregate may make it so",
    note = "implement `NotNull` for `{V}`, as `#[derive(ColumnValue)]` does"
)]
pub trait Yields<V> {
    /// The type.
    type Value: ColumnValue;
}

#[diagnostic::do_not_recommend]
impl<V: ColumnValue> Yields<V> for Required {
    type Value = V;
}

#[diagnostic::do_not_recommend]
impl<V: NotNull> Yields<V> for Nullable {
    type Value = Option<V>;
}

#[diagnostic::do_not_recommend]
impl<V: NotNull> Yields<Option<V>> for Nullable {
    type Value = Option<V>;
}

impl<T: Table, V, To> Column<T, V, To> {
    pub(super) fn at<P: Position>(self) -> ColumnAt {
        ColumnAt { place: P::__PLACE, column: self.index() }
    }
}
