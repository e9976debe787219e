//! The statements on one table that never change: built once per table, not once per call.

use std::{fmt, sync::OnceLock};

use super::{TableSchema, quote};

/// A place for a table's statements; part of its [`TableSchema`], empty until the first use.
pub struct TableStatements(OnceLock<Statements>);

/// The statements.
pub(crate) struct Statements {
    /// `INSERT INTO "t" ("a", "b") VALUES (?, ?)`
    pub(crate) insert: String,
    /// The same, and a row with that primary key takes the other values.
    pub(crate) upsert: String,
    /// `SELECT "a", "b" FROM "t"`
    pub(crate) select: String,
    /// The same ` WHERE` the key is given.
    pub(crate) select_by_key: String,
    /// `DELETE FROM "t" WHERE` the key is given.
    pub(crate) delete_by_key: String,
    /// ` WHERE "k" = ?`
    pub(crate) by_key: String,
    /// `"t"`
    pub(crate) name: String,
    /// `"a"` and `"b"`
    pub(crate) columns: Vec<String>,
}

impl TableStatements {
    /// None yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }
}

impl Default for TableStatements {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TableStatements {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TableStatements")
    }
}

/// They follow from the rest of the schema.
impl PartialEq for TableStatements {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for TableStatements {}

impl TableSchema {
    pub(crate) fn statements(&self) -> &Statements {
        self.statements.0.get_or_init(|| Statements::of(self))
    }

    pub(crate) fn is_key(&self, column: usize) -> bool {
        self.primary_key.contains(&column)
    }

    /// The names of columns, quoted.
    pub(crate) fn names(&self, columns: &[usize]) -> String {
        columns.iter().map(|column| quote(self.columns[*column].name)).collect::<Vec<_>>().join(", ")
    }
}

impl Statements {
    fn of(table: &TableSchema) -> Self {
        let name = quote(table.name);
        let all = (0..table.columns.len()).collect::<Vec<_>>();
        let columns = table.names(&all);
        let insert = format!("INSERT INTO {name} ({columns}) VALUES ({})", vec!["?"; table.columns.len()].join(", "));
        let key = |column: &usize| format!("{} = ?", quote(table.columns[*column].name));
        let by_key = format!(" WHERE {}", table.primary_key.iter().map(key).collect::<Vec<_>>().join(" AND "));
        let select = format!("SELECT {columns} FROM {name}");
        Self {
            upsert: format!("{insert} ON CONFLICT ({}) DO {}", table.names(table.primary_key), on_conflict(table)),
            insert,
            select_by_key: format!("{select}{by_key}"),
            select,
            delete_by_key: format!("DELETE FROM {name}{by_key}"),
            by_key,
            name,
            columns: table.columns.iter().map(|column| quote(column.name)).collect(),
        }
    }
}

fn on_conflict(table: &TableSchema) -> String {
    let others = table.columns.iter().enumerate().filter(|(index, _)| !table.is_key(*index));
    let sets: Vec<String> = others.map(|(_, column)| format!("{0} = excluded.{0}", quote(column.name))).collect();
    if sets.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", sets.join(", ")) }
}
