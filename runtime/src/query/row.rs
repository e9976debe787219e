//! Rows: what a statement yields, decoded into Rust types.

use crate::{
    error::QueryError,
    value::{ColumnValue, ValueRef},
};

/// What one row of a result becomes: a table's struct, a `#[derive(Row)]` struct, a tuple of column values, or one column value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made of a row",
    note = "a row becomes a table, a struct with `#[derive(Row)]`, a tuple of column values, or a single column value"
)]
pub trait Row: Sized + Send + Sync + 'static {
    /// The row type's name, for messages.
    const NAME: &'static str;

    /// The columns by name, in the order in which [`decode`](Self::decode) asks for them; empty when it asks by position.
    const COLUMNS: &'static [&'static str];

    /// Reads the row's columns: the nth is the nth of [`COLUMNS`](Self::COLUMNS), or of the statement.
    ///
    /// # Errors
    /// When a column is missing or does not decode.
    fn decode(row: &RowRef<'_>) -> Result<Self, QueryError>;
}

/// One row of a running statement.
pub struct RowRef<'a> {
    values: &'a dyn Fn(usize) -> ValueRef<'a>,
}

impl<'a> RowRef<'a> {
    /// The nth column, raw.
    pub fn value(&self, index: usize) -> ValueRef<'a> {
        (self.values)(index)
    }

    /// The nth column, decoded; `row` names the row type in errors.
    ///
    /// # Errors
    /// When the column does not decode.
    pub fn get<V: ColumnValue>(&self, row: &'static str, index: usize) -> Result<V, QueryError> {
        V::decode(self.value(index)).map_err(|source| QueryError::Decode { row, column: index.to_string(), source })
    }
}
