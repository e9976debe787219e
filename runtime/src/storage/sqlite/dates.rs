//! Date functions that a materializer may call: the same as SQLite's, but for what differs between clients: the time of now, and the
//! machine's time zone.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{
    functions::{Context, FunctionFlags},
    types::{Value, ValueRef},
};

use super::{
    Guard,
    guard::Shared,
    row::{Param, from_sqlite},
};

/// SQLite's date functions.
pub(super) const FUNCTIONS: &[&str] = &["date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"];

/// SQLite finds a connection's own functions before its built-in ones. So these stand in their place, look at the arguments, and ask
/// a second connection, in memory, for the built-in function's answer.
pub(super) struct Dates {
    original: Original,
}

type Original = Arc<Mutex<Option<rusqlite::Connection>>>;

impl Dates {
    pub(super) fn install(sqlite: &rusqlite::Connection, guard: &Arc<Shared>) -> rusqlite::Result<Self> {
        let original = Original::default();
        for function in FUNCTIONS {
            let (guard, original) = (Arc::clone(guard), Arc::clone(&original));
            sqlite.create_scalar_function(*function, -1, FunctionFlags::SQLITE_UTF8, move |context| {
                if guard.mode() == Guard::Materializer
                    && let Some(reason) = refusal(function, context)
                {
                    return Err(rusqlite::Error::UserFunctionError(reason.into()));
                }
                call(&original, function, context)
            })?;
        }
        Ok(Self { original })
    }

    pub(super) fn release_memory(&self) {
        *self.original.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn refusal(function: &str, context: &Context<'_>) -> Option<String> {
    let times = match function {
        "strftime" => 1..2,
        "timediff" => 0..2,
        _ => 0..1,
    };
    let refused = |what: &str| {
        Some(format!(
            "`{function}` with {what} is not allowed in a materializer: it differs between clients; put the time into the event"
        ))
    };
    if context.len() < times.end {
        return refused("no time");
    }
    for index in 0..context.len() {
        let word = word(context.get_raw(index));
        match word.as_str() {
            "now" => return refused("`now`"),
            // As a time, and not as a modifier, it means now.
            "subsec" | "subsecond" if times.contains(&index) => return refused("no time"),
            "localtime" | "utc" => return refused("the machine's time zone"),
            _ => {}
        }
    }
    None
}

/// The argument as SQLite's date parser sees it: up to the first NUL byte, in either case.
fn word(value: ValueRef<'_>) -> String {
    let bytes = match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => return String::new(),
    };
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end.min(16)]).to_ascii_lowercase()
}

fn call(original: &Original, function: &str, context: &Context<'_>) -> rusqlite::Result<Value> {
    let mut original = original.lock().unwrap_or_else(PoisonError::into_inner);
    let connection = match &mut *original {
        Some(connection) => connection,
        none => none.insert(rusqlite::Connection::open_in_memory()?),
    };
    let sql = format!("SELECT {function}({})", vec!["?"; context.len()].join(", "));
    let mut statement = connection.prepare_cached(&sql)?;
    for index in 0..context.len() {
        statement.raw_bind_parameter(index + 1, Param(from_sqlite(context.get_raw(index))))?;
    }
    let mut rows = statement.raw_query();
    rows.next()?.map_or(Ok(Value::Null), |row| row.get(0))
}
