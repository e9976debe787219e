//! Tables: what a `#[derive(Table)]` struct says of itself, and its typed columns.

mod bounds;
mod column;
mod computed;
mod ddl;
mod key;
mod order;
mod schema;
mod statements;

#[doc(hidden)]
pub use bounds::{
    DefaultKind, TableIn, assert_default, assert_key_column, assert_new_table, assert_nullable, assert_reference,
};
pub(crate) use column::Assignment;
pub use column::Column;
pub use computed::{ComputedColumn, IntoOperand, Number, SetTo};
pub(crate) use computed::{Formula, NewValue, Operand};
pub(crate) use ddl::quote;
pub use key::{IntoKey, KeyColumns};
pub(crate) use order::OrderTerm;
pub use order::{IntoOrder, Order};
pub use schema::{ColumnSchema, IndexSchema, ReferenceAction, ReferenceSchema, TableSchema};
pub use statements::TableStatements;

use crate::{
    query::{ByKey, Predicate, Row, Select},
    value::{Encoded, ValueError},
};

/// A row type: one table of a store's schema. Implemented by `#[derive(Table)]`.
///
/// The derive also makes one associated constant per column, in capitals: `Issue::STATUS` is a `Column<Issue, Status>`. And it makes
/// `Issue::all()`, `Issue::filter(..)` and `Issue::by_key(..)`, which need no trait in scope; the functions here are the same for code
/// that is generic over tables.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a table",
    label = "expected a struct with `#[derive(Table)]`"
)]
pub trait Table: Row {
    /// The primary key: the column's type, or a tuple in key order.
    type Key: KeyColumns;

    /// The table's SQL name: what other tables' references are made of.
    #[doc(hidden)]
    const __NAME: &'static str;

    /// The SQL name of the primary key's first column.
    #[doc(hidden)]
    const __KEY: &'static str;

    /// The columns, where they are needed while compiling.
    #[doc(hidden)]
    const __COLUMNS: &'static [ColumnSchema] = &[];

    /// The table's name, columns, keys, indexes and references.
    fn schema() -> &'static TableSchema;

    /// The row's values in column order.
    ///
    /// # Errors
    /// When a value has no stored form; the error names the column.
    fn encode<'a>(&'a self, values: &mut Vec<Encoded<'a>>) -> Result<(), ValueError>;

    /// Every row.
    fn all() -> Select<Self> {
        Select::all()
    }

    /// The rows that `predicate` holds for.
    fn filter(predicate: Predicate<Self>) -> Select<Self> {
        Select::all().filter(predicate)
    }

    /// The row with this primary key, if there is one. A key of several columns is a tuple.
    fn by_key(key: impl IntoKey<Self::Key>) -> ByKey<Self> {
        ByKey::new(key)
    }
}
