//! What SQL of the app may do: SQLite's authorizer asks here while it prepares a statement.

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::{
    Connection, SqliteError, SqliteErrorKind,
    dates::{Dates, FUNCTIONS},
};

/// Who wrote the SQL that runs now, and what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Guard {
    /// larder: anything.
    Internal = 0,
    /// The app, in a query: reads of the schema's tables.
    ReadOnlySql = 1,
    /// The app, in a materializer: reads and writes of the schema's tables, by functions of their arguments only.
    Materializer = 2,
}

/// The guard of one connection.
pub(super) struct GuardState {
    shared: Arc<Shared>,
    dates: Option<Dates>,
}

#[derive(Default)]
pub(super) struct Shared {
    mode: AtomicU8,
    /// The date functions are larder's.
    dates: AtomicBool,
    refused: Mutex<Option<String>>,
}

impl Shared {
    pub(super) fn mode(&self) -> Guard {
        match self.mode.load(Ordering::Relaxed) {
            0 => Guard::Internal,
            1 => Guard::ReadOnlySql,
            _ => Guard::Materializer,
        }
    }

    fn set(&self, mode: Guard) {
        self.mode.store(mode as u8, Ordering::Relaxed);
    }
}

/// Puts the mode back, also when the guarded code panics.
struct Restore {
    shared: Arc<Shared>,
    before: Guard,
}

impl Drop for Restore {
    fn drop(&mut self) {
        self.shared.set(self.before);
    }
}

impl Connection {
    /// Runs `work`, whose SQL is under `mode`.
    pub(crate) fn guard<R>(&mut self, mode: Guard, work: impl FnOnce(&mut Self) -> R) -> R {
        if mode == Guard::Materializer && self.guard.dates.is_none() {
            // Where this fails, the date functions are refused altogether: SQLite's own would tell the time.
            self.guard.dates = Dates::install(&self.sqlite, &self.guard.shared).ok();
            self.guard.shared.dates.store(self.guard.dates.is_some(), Ordering::Relaxed);
        }
        let shared = Arc::clone(&self.guard.shared);
        let _restore = Restore { before: shared.mode(), shared: Arc::clone(&shared) };
        shared.set(mode);
        work(self)
    }
}

impl GuardState {
    pub(super) fn install(sqlite: &mut rusqlite::Connection) -> Result<Self, SqliteError> {
        let shared = Arc::new(Shared::default());
        let asked = Arc::clone(&shared);
        sqlite.authorizer(Some(move |context: AuthContext<'_>| authorize(&asked, &context)))?;
        Ok(Self { shared, dates: None })
    }

    /// The text under which a statement is kept prepared: one that passed under one mode was not looked at for another.
    pub(super) fn key<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        match self.shared.mode() {
            Guard::Internal => Cow::Borrowed(sql),
            Guard::ReadOnlySql => Cow::Owned(format!("/*q*/ {sql}")),
            Guard::Materializer => Cow::Owned(format!("/*m*/ {sql}")),
        }
    }

    /// SQLite says `not authorized`; this says what was not allowed.
    pub(super) fn explain(&self, error: rusqlite::Error) -> SqliteError {
        let mut refused = self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let error = SqliteError::from(error);
        match refused.take() {
            Some(message) => SqliteError { message, kind: SqliteErrorKind::Other, ..error },
            None => error,
        }
    }

    pub(super) fn release_memory(&mut self) {
        if let Some(dates) = &self.dates {
            dates.release_memory();
        }
    }
}

fn authorize(shared: &Shared, context: &AuthContext<'_>) -> Authorization {
    let mode = shared.mode();
    if mode == Guard::Internal {
        return Authorization::Allow;
    }
    match refusal(mode, shared.dates.load(Ordering::Relaxed), context) {
        None => Authorization::Allow,
        Some(message) => {
            let mut refused = shared.refused.lock().unwrap_or_else(PoisonError::into_inner);
            // The first is the one to mend.
            refused.get_or_insert(message);
            Authorization::Deny
        }
    }
}

fn refusal(mode: Guard, dates: bool, context: &AuthContext<'_>) -> Option<String> {
    match context.action {
        AuthAction::Select | AuthAction::Recursive => None,
        AuthAction::Read { table_name, .. } => hidden(table_name),
        AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name } => {
            if table_name.starts_with("sqlite_") {
                // How DDL begins.
                Some(OTHER_STATEMENT.to_owned())
            } else if mode == Guard::Materializer {
                hidden(table_name)
            } else {
                Some(format!("a query reads, it cannot change table `{table_name}`; commit an event instead"))
            }
        }
        AuthAction::Function { function_name } => refused_function(mode, dates, function_name),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
            Some("transactions are larder's, SQL of an app cannot begin or end one".to_owned())
        }
        AuthAction::Pragma { pragma_name, .. } => {
            Some(format!("`PRAGMA {pragma_name}` is not allowed, SQL of an app reads and writes the schema's tables"))
        }
        _ => Some(OTHER_STATEMENT.to_owned()),
    }
}

const OTHER_STATEMENT: &str =
    "only SELECT, INSERT, UPDATE and DELETE on the schema's tables are allowed; declare tables with `#[derive(Table)]`";

/// Tables that are not the schema's. All others in a store's file are: names with these beginnings are refused in schemas.
fn hidden(table: &str) -> Option<String> {
    let lower = table.to_ascii_lowercase();
    let is_hidden =
        ["larder_", "sqlite_", "pragma_"].iter().any(|prefix| lower.starts_with(prefix)) || lower == "dbstat";
    is_hidden.then(|| format!("table `{table}` is not one of the schema's"))
}

fn refused_function(mode: Guard, dates: bool, function: &str) -> Option<String> {
    let lower = function.to_ascii_lowercase();
    match lower.as_str() {
        "load_extension" | "fts3_tokenizer" => Some(format!("function `{function}` is not allowed")),
        _ if mode != Guard::Materializer => None,
        name if !dates && FUNCTIONS.contains(&name) => Some(format!(
            "function `{function}` is not allowed in a materializer now: it could not be kept from telling the time; commit again"
        )),
        "random"
        | "randomblob"
        | "changes"
        | "total_changes"
        | "last_insert_rowid"
        | "current_time"
        | "current_date"
        | "current_timestamp"
        | "sqlite_version"
        | "sqlite_source_id"
        | "sqlite_compileoption_get"
        | "sqlite_compileoption_used"
        | "sqlite_offset"
        | "sqlite_log" => Some(format!(
            "function `{function}` is not allowed in a materializer: it differs between clients or runs; put the value \
             into the event"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_functions_that_are_not_larders_are_refused_in_a_materializer_only() {
        for function in FUNCTIONS {
            assert!(refused_function(Guard::Materializer, false, function).is_some(), "{function}");
            assert_eq!(refused_function(Guard::Materializer, true, function), None);
            assert_eq!(refused_function(Guard::ReadOnlySql, false, function), None);
        }
    }
}
