//! Which queries may be asked of which stores.

use super::{
    ByKey, Count, Exists, First, FirstGroup, FromTables, Groups, One, OneByKey, Query, Select, SqlQuery, SqlShape,
    Totals, Yield,
};
use crate::{
    definition::{DefinedOn, StoreDefinition},
    schema::HasTable,
    table::Table,
};

/// A query that may be asked of store definition `D`: all its tables are in `D`'s schema.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a query of `{D}`",
    label = "expected `Table::all()`, `Table::filter(..)`, `Table::by_key(..)`, a query of the store's `queries {{ .. }}`, or a tuple of these",
    note = "ask a store whose schema has the query's tables, or add them to its `#[schema(tables(..))]`"
)]
pub trait Fits<D>: Query {}

impl<D: StoreDefinition, Q: FitsSchema<D::Schema>> Fits<D> for Q {}

/// A query all of whose tables are in schema `S`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a query of `{S}`",
    label = "expected `Table::all()`, `Table::filter(..)`, `Table::by_key(..)`, a query of the store's `queries {{ .. }}`, or a tuple of these",
    note = "ask a store whose schema has the query's tables, or add them to `#[schema(tables(..))]`"
)]
pub trait FitsSchema<S>: Query {}

/// A schema that has all tables of a list.
pub trait HasTables<List> {}

impl<S> HasTables<()> for S {}
impl<S: HasTable<T> + HasTables<Rest>, T, Rest> HasTables<(T, Rest)> for S {}

macro_rules! of_tables {
    ($($query:ident<Src $(, $out:ident)?>),+) => {$(
        impl<S, Src $(, $out)?> FitsSchema<S> for $query<Src $(, $out)?>
        where
            Src: FromTables,
            S: HasTable<Src::First> + HasTables<Src::__Others>,
            $($out: Yield<Src>,)?
        {
        }
    )+};
}

of_tables!(
    Select<Src, Out>,
    First<Src, Out>,
    One<Src, Out>,
    Groups<Src, Out>,
    FirstGroup<Src, Out>,
    Totals<Src, Out>,
    Count<Src>,
    Exists<Src>
);

impl<S: HasTable<T>, T: Table> FitsSchema<S> for ByKey<T> {}
impl<S: HasTable<T>, T: Table> FitsSchema<S> for OneByKey<T> {}

impl<S, D: DefinedOn<S>, R: SqlShape> FitsSchema<S> for SqlQuery<D, R> {}
