//! SQLite's values as larder's, and back.

use rusqlite::types::{ToSqlOutput, ValueRef as SqliteValueRef};

use crate::{query::RowSource, value::ValueRef};

/// The row that a statement stands on.
pub(super) struct SqliteRow<'a> {
    pub(super) row: &'a rusqlite::Row<'a>,
    pub(super) columns: usize,
}

impl RowSource for SqliteRow<'_> {
    fn len(&self) -> usize {
        self.columns
    }

    fn value(&self, index: usize) -> ValueRef<'_> {
        self.row.get_ref(index).map_or(ValueRef::Null, from_sqlite)
    }

    fn name(&self, index: usize) -> Option<&str> {
        self.row.as_ref().column_name(index).ok()
    }
}

/// A value of SQLite. Text that is not UTF-8 can only come from a damaged file; as bytes it fails to decode, and nothing panics.
pub(super) fn from_sqlite(value: SqliteValueRef<'_>) -> ValueRef<'_> {
    match value {
        SqliteValueRef::Null => ValueRef::Null,
        SqliteValueRef::Integer(number) => ValueRef::Integer(number),
        SqliteValueRef::Real(number) => ValueRef::Real(number),
        SqliteValueRef::Text(bytes) => std::str::from_utf8(bytes).map_or(ValueRef::Blob(bytes), ValueRef::Text),
        SqliteValueRef::Blob(bytes) => ValueRef::Blob(bytes),
    }
}

/// A parameter.
pub(super) struct Param<'a>(pub(super) ValueRef<'a>);

impl rusqlite::ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            ValueRef::Null => SqliteValueRef::Null,
            ValueRef::Integer(number) => SqliteValueRef::Integer(number),
            ValueRef::Real(number) => SqliteValueRef::Real(number),
            ValueRef::Text(text) => SqliteValueRef::Text(text.as_bytes()),
            ValueRef::Blob(bytes) => SqliteValueRef::Blob(bytes),
        }))
    }
}
