//! Rows: what a statement yields, decoded into Rust types.

use crate::{
    error::QueryErrorKind,
    value::{ColumnType, ColumnValue, Value, ValueError, ValueRef},
};

mod scalars;
mod tuples;

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

    /// What the columns are, in that order; empty where it is not known. Queries in SQL are checked against it while compiling.
    #[doc(hidden)]
    const __TYPES: &'static [ColumnType] = &[];

    /// Reads the row's columns: the nth is the nth of [`COLUMNS`](Self::COLUMNS), or of the statement.
    ///
    /// # Errors
    /// When a column is missing or does not decode.
    fn decode(row: &RowRef<'_>) -> Result<Self, QueryErrorKind>;
}

/// For generated code.
#[doc(hidden)]
pub const fn assert_row<T: Row>() {}

/// Where a row's values come from.
pub(crate) trait RowSource {
    /// How many columns there are.
    fn len(&self) -> usize;

    /// The column at `index`; `NULL` beyond the last.
    fn value(&self, index: usize) -> ValueRef<'_>;

    /// The column's name, where it is known.
    fn name(&self, index: usize) -> Option<&str>;
}

impl RowSource for Vec<Value> {
    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn value(&self, index: usize) -> ValueRef<'_> {
        <[Value]>::get(self, index).map_or(ValueRef::Null, Value::as_ref)
    }

    fn name(&self, _: usize) -> Option<&str> {
        None
    }
}

/// One row of a running statement.
pub struct RowRef<'a> {
    source: &'a dyn RowSource,
    // Where the wanted columns stand in the statement; empty when they are asked for by position.
    places: &'a [usize],
    // How many of them a part of a row leaves out.
    from: usize,
}

impl<'a> RowRef<'a> {
    pub(crate) fn new(source: &'a dyn RowSource, places: &'a [usize]) -> Self {
        Self { source, places, from: 0 }
    }

    /// The same row without its first columns.
    pub(crate) fn after(&self, columns: usize) -> Self {
        Self { from: self.from + columns, ..*self }
    }

    /// Takes the first columns; what is left begins behind them.
    pub(crate) fn take(&mut self, columns: usize) -> Self {
        let first = self.after(0);
        self.from += columns;
        first
    }

    /// The nth column, raw; `NULL` beyond the last.
    pub fn value(&self, index: usize) -> ValueRef<'a> {
        self.source.value(self.place(index))
    }

    /// All wanted columns, raw.
    pub(crate) fn values(&self) -> impl Iterator<Item = ValueRef<'a>> {
        let columns = if self.places.is_empty() { self.source.len() } else { self.places.len() };
        (0..columns.saturating_sub(self.from)).map(|index| self.value(index))
    }

    /// The nth column, decoded; `row` names the row type in errors.
    ///
    /// # Errors
    /// When there is no such column or it does not decode.
    pub fn get<V: ColumnValue>(&self, row: &'static str, index: usize) -> Result<V, QueryErrorKind> {
        self.__get(row, index, V::decode)
    }

    /// The nth column through `decode`; for generated code. Without a bound on `V`, so that a wrong type is reported once, by name.
    ///
    /// # Errors
    /// When there is no such column or it does not decode.
    #[doc(hidden)]
    pub fn __get<V>(
        &self,
        row: &'static str,
        index: usize,
        decode: impl FnOnce(ValueRef<'_>) -> Result<V, ValueError>,
    ) -> Result<V, QueryErrorKind> {
        decode(self.column(row, index)?).map_err(|source| self.failed(row, index, source))
    }

    /// The nth column, raw. Not generic, so that it is compiled once.
    fn column(&self, row: &'static str, index: usize) -> Result<ValueRef<'a>, QueryErrorKind> {
        let place = self.place(index);
        if place >= self.source.len() {
            return Err(self.failed(row, index, ValueError::MissingColumn((index + 1).to_string())));
        }
        Ok(self.source.value(place))
    }

    fn place(&self, index: usize) -> usize {
        let index = self.from + index;
        self.places.get(index).copied().unwrap_or(index)
    }

    #[cold]
    fn failed(&self, row: &'static str, index: usize, source: ValueError) -> QueryErrorKind {
        let place = self.place(index);
        let column = self.source.name(place).map_or_else(|| (place + 1).to_string(), str::to_owned);
        QueryErrorKind::Decode { row, column, source }
    }
}
