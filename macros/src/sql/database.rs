//! An empty database with the tables of a schema.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{
    Connection,
    hooks::{AuthAction, AuthContext, Authorization},
};

use super::TableShape;
use crate::message;

/// What a statement reads: table and column.
pub(crate) type Reads = Vec<(String, String)>;

/// A database in memory, and the tables in it.
pub(crate) struct Database {
    pub(crate) sqlite: Connection,
    pub(crate) tables: Vec<TableShape>,
}

/// Virtual machine steps after which a statement is given up: it may never end.
const STEPS: i32 = 1_000_000;

/// Tables that SQLite makes of a function's arguments: what they depend on is read there.
const FUNCTIONS: [&str; 2] = ["json_each", "json_tree"];

/// What SQLite asked leave for while it prepared a statement.
#[derive(Default)]
pub(crate) struct Asked {
    /// In the order of the text, a column as often as it is named there.
    pub(crate) reads: Reads,
    /// What a query may not do, in words.
    pub(crate) refused: Option<String>,
}

impl Database {
    /// Makes the tables.
    ///
    /// A column's declared type ends in a mark that tells which column it is: SQLite gives it back for a column of a result that is
    /// one of a table's, through subqueries and views. All tables are `WITHOUT ROWID`, so that `rowid` is no name.
    pub(crate) fn new(tables: Vec<TableShape>) -> rusqlite::Result<Self> {
        let mut sqlite = Connection::open_in_memory()?;
        for (at, table) in tables.iter().enumerate() {
            sqlite.execute_batch(&ddl(at, table))?;
        }
        sqlite.progress_handler(STEPS, Some(|| true))?;
        Ok(Self { sqlite, tables })
    }

    /// Prepares a statement and gives what SQLite asked for.
    pub(crate) fn prepare(&mut self, sql: &str) -> (Asked, rusqlite::Result<()>) {
        let asked = Arc::new(Mutex::new(Asked::default()));
        let noted = Arc::clone(&asked);
        let ask = move |context: AuthContext<'_>| {
            let mut asked = noted.lock().unwrap_or_else(PoisonError::into_inner);
            asked.note(context.action);
            // Refusing would give SQLite's words "not authorized" instead of a reason.
            Authorization::Allow
        };
        let hooked = self.sqlite.authorizer(Some(ask));
        let prepared = hooked.and_then(|()| self.sqlite.prepare(sql).map(drop));
        let unhooked = self.sqlite.authorizer(None::<fn(AuthContext<'_>) -> Authorization>);
        let mut asked = std::mem::take(&mut *asked.lock().unwrap_or_else(PoisonError::into_inner));
        asked.reads.retain(|(table, _)| !FUNCTIONS.contains(&table.as_str()) || self.is_table(table));
        (asked, prepared.and(unhooked))
    }

    /// Whether the schema has a table of this name.
    pub(crate) fn is_table(&self, name: &str) -> bool {
        self.tables.iter().any(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// The column that a declared type is the mark of.
    pub(crate) fn marked(&self, declared: &str) -> Option<(usize, usize)> {
        let (_, mark) = declared.rsplit_once("larder_")?;
        let (table, column) = mark.split_once('_')?;
        let found: (usize, usize) = (table.parse().ok()?, column.parse().ok()?);
        self.tables.get(found.0)?.columns.get(found.1).map(|_| found)
    }
}

impl Asked {
    /// What is read, each column once.
    pub(crate) fn different_reads(&self) -> Reads {
        let mut different = Reads::new();
        for read in &self.reads {
            if !different.contains(read) {
                different.push(read.clone());
            }
        }
        different
    }

    fn note(&mut self, action: AuthAction<'_>) {
        let refused = match action {
            AuthAction::Select | AuthAction::Recursive | AuthAction::Function { .. } => return,
            AuthAction::Read { table_name, column_name } => {
                self.reads.push((table_name.to_owned(), column_name.to_owned()));
                return;
            }
            // How DDL begins.
            AuthAction::Insert { table_name } if table_name.starts_with("sqlite_") => message::sql_changes_tables(),
            AuthAction::Insert { table_name } => message::sql_writes("inserts into", table_name),
            AuthAction::Update { table_name, .. } => message::sql_writes("updates", table_name),
            AuthAction::Delete { table_name } => message::sql_writes("deletes from", table_name),
            AuthAction::Pragma { pragma_name, .. } => message::sql_runs_pragma(pragma_name),
            AuthAction::Attach { .. } | AuthAction::Detach { .. } => message::sql_attaches(),
            AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => message::sql_begins_or_ends(),
            _ => message::sql_changes_tables(),
        };
        self.refused.get_or_insert(refused);
    }
}

fn ddl(at: usize, table: &TableShape) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (place, column) in table.columns.iter().enumerate() {
        let null = if column.nullable { "" } else { " NOT NULL" };
        parts.push(format!("{} {} larder_{at}_{place}{null}", quote(&column.name), column.storage.sql()));
    }
    let names = |places: &[usize]| {
        let names: Vec<_> =
            places.iter().filter_map(|at| table.columns.get(*at)).map(|column| quote(&column.name)).collect();
        names.join(", ")
    };
    parts.push(format!("PRIMARY KEY ({})", names(&table.key)));
    parts.extend(table.unique.iter().map(|places| format!("UNIQUE ({})", names(places))));
    let name = quote(&table.name);
    let mut sql = format!("CREATE TABLE {name} ({}) WITHOUT ROWID;", parts.join(", "));
    for (number, places) in table.indexes.iter().enumerate() {
        sql.push_str(&format!("CREATE INDEX larder_index_{at}_{number} ON {name} ({});", names(places)));
    }
    sql
}

/// Whether a text is JSON, as SQLite reads it.
pub(crate) fn is_json(text: &str) -> bool {
    let valid = |sqlite: Connection| sqlite.query_row("SELECT json_valid(?)", [text], |row| row.get(0));
    Connection::open_in_memory().and_then(valid).unwrap_or(false)
}

/// An SQL name in quotes.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
