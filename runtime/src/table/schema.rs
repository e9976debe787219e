//! The description of a table: constant data that the derive writes and everything else reads.

use crate::value::{ColumnType, Storage};

/// One table: all that its DDL, the schema fingerprint and the statements on it are made of.
#[derive(Debug, PartialEq, Eq)]
pub struct TableSchema {
    /// The SQL name.
    pub name: &'static str,
    /// The Rust type's name, for messages.
    pub type_name: &'static str,
    /// In the order of the struct's fields.
    pub columns: &'static [ColumnSchema],
    /// Indexes into `columns`, in key order; never empty.
    pub primary_key: &'static [usize],
    /// Further unique constraints (`unique` on a column, `unique(a, b)` on the table).
    pub unique: &'static [&'static [usize]],
    /// Indexes that are not unique.
    pub indexes: &'static [IndexSchema],
    /// Foreign keys.
    pub references: &'static [ReferenceSchema],
    /// Statements on the table, made at the first use; write `TableStatements::new()`.
    #[doc(hidden)]
    pub statements: super::TableStatements,
}

impl TableSchema {
    /// The table of documents of one type; for generated code.
    #[doc(hidden)]
    pub const fn __of_documents(name: &'static str, type_name: &'static str) -> Self {
        const COLUMNS: &[ColumnSchema] = &[
            ColumnSchema { name: "id", ty: ColumnType::new(Storage::Text, "text"), default: None },
            ColumnSchema { name: "changed", ty: ColumnType::new(Storage::Text, "json"), default: None },
        ];
        Self {
            name,
            type_name,
            columns: COLUMNS,
            primary_key: &[0],
            unique: &[],
            indexes: &[],
            references: &[],
            statements: super::TableStatements::new(),
        }
    }

    /// Whether the primary key is SQLite's rowid: one `INTEGER` column. All other tables are `WITHOUT ROWID`.
    pub fn key_is_rowid(&self) -> bool {
        matches!(self.primary_key, [only] if self.columns[*only].ty.storage == crate::value::Storage::Integer)
    }
}

/// One column.
#[derive(Debug, PartialEq, Eq)]
pub struct ColumnSchema {
    /// The SQL name.
    pub name: &'static str,
    /// Its type.
    pub ty: ColumnType,
    /// `DEFAULT`, an SQL literal: used for a column that raw SQL leaves out.
    pub default: Option<&'static str>,
}

/// One index.
#[derive(Debug, PartialEq, Eq)]
pub struct IndexSchema {
    /// The SQL name, `<table>_<column>_<column>_index`.
    pub name: &'static str,
    /// Indexes into the table's columns.
    pub columns: &'static [usize],
}

/// One foreign key, of one column.
#[derive(Debug, PartialEq, Eq)]
pub struct ReferenceSchema {
    /// Index into the table's columns.
    pub column: usize,
    /// The referenced table.
    pub table: &'static str,
    /// The referenced column: that table's whole primary key.
    pub target: &'static str,
    /// What happens to this row when the referenced one is deleted.
    pub on_delete: ReferenceAction,
}

/// What a delete of the referenced row does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceAction {
    /// The delete is refused (the default).
    Restrict,
    /// This row is deleted too.
    Cascade,
    /// The column becomes `NULL`.
    SetNull,
}
