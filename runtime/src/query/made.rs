//! Structs made of what a query chose: each field takes one column, in order.

use super::Row;
use crate::value::{ColumnValue, NotNull};

/// A struct with `#[derive(Row)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a struct with `#[derive(Row)]`",
    label = "expected a struct with `#[derive(Row)]`"
)]
pub trait RowStruct: Row {
    /// The fields' types, as a list.
    #[doc(hidden)]
    type __Fields;
}

/// A struct whose fields take the columns of a query, in order.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made of what the query yields",
    label = "expected a struct with `#[derive(Row)]`",
    note = "its fields take the query's columns in order; tuples and single columns need no `into_row`"
)]
pub trait MadeOf<Columns>: Row {}

impl<R: RowStruct, Columns> MadeOf<Columns> for R where R::__Fields: FieldsOf<Columns> {}

/// Fields that take these columns.
#[diagnostic::on_unimplemented(
    message = "the struct has not as many fields as the query has columns",
    label = "has too many fields, or too few",
    note = "each field takes one of the columns, in order"
)]
pub trait FieldsOf<Columns> {}

#[diagnostic::do_not_recommend]
impl FieldsOf<()> for () {}

impl<F: FieldOf<V>, Fields: FieldsOf<Columns>, V, Columns> FieldsOf<(V, Columns)> for (F, Fields) {}

/// A field that takes a column of type `V`: of the same type, an `Option` of it, or an `i64` for a count.
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` cannot take a column of type `{V}`",
    label = "a field of this struct is `{Self}` where the query has `{V}`",
    note = "the fields take the query's columns in order, each of the same type; an `Option` takes a value, too, and an `i64` a count"
)]
pub trait FieldOf<V> {}

#[diagnostic::do_not_recommend]
impl<V: ColumnValue> FieldOf<V> for V {}

#[diagnostic::do_not_recommend]
impl<V: NotNull> FieldOf<V> for Option<V> {}

#[diagnostic::do_not_recommend]
impl FieldOf<u64> for i64 {}
