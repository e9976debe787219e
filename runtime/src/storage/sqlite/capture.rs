//! Which rows change: TEMP triggers hand old and new values to a function of ours.
//!
//! Triggers see what `update_hook` misses: rows that `REPLACE` or a reference's action deletes, a `DELETE` without `WHERE`, tables
//! without rowid. An AFTER trigger hears of a cascade's children before their parent.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::{
    functions::{Context, FunctionFlags},
    types::Null,
};

use super::{Connection, SqliteError, row::from_sqlite};
use crate::{
    change::RowChange,
    seeded,
    table::{TableSchema, quote},
    value::Value,
};

/// A function takes at most 1,000 arguments in SQLite; an update of a wide table needs several calls.
const VALUES_PER_CALL: usize = 900;

/// Most changed rows that are kept of one transaction: what listens to more reads the tables anew.
pub(crate) const MAX_ROWS: usize = 65_536;

/// What one connection records.
pub(super) struct Capture {
    buffer: Arc<Mutex<Buffer>>,
    triggers: Vec<String>,
}

struct Buffer {
    tables: Vec<&'static TableSchema>,
    // In every trigger's text and nowhere else, so that SQL of an app cannot call the function.
    secret: i64,
    values: Vec<Value>,
    changes: Vec<RowChange>,
    /// There were more than [`MAX_ROWS`].
    overflown: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Insert,
    Update,
    Delete,
}

const KINDS: [Kind; 3] = [Kind::Insert, Kind::Update, Kind::Delete];

impl Connection {
    /// Records from now on which rows of `tables` change. The tables exist; dropping one ends its recording. Not inside a
    /// transaction that may be rolled back.
    pub(crate) fn start_capture(&mut self, tables: &[&'static TableSchema]) -> Result<(), SqliteError> {
        self.stop_capture()?;
        let buffer = Arc::new(Mutex::new(Buffer {
            tables: tables.to_vec(),
            secret: (RandomState::new().hash_one(0) >> 24) as i64,
            values: Vec::new(),
            changes: Vec::new(),
            overflown: false,
        }));
        let shared = Arc::clone(&buffer);
        self.sqlite.create_scalar_function("larder_capture", -1, FunctionFlags::SQLITE_UTF8, move |context| {
            lock(&shared).add(context)
        })?;
        let mut capture = Capture { buffer, triggers: Vec::new() };
        let mut sql = String::new();
        for (index, table) in tables.iter().enumerate() {
            for kind in KINDS {
                let name = format!("larder_capture_{index}_{}", kind as u8);
                trigger(&mut sql, &name, kind, table, lock(&capture.buffer).tag(index, kind));
                capture.triggers.push(name);
            }
        }
        self.all_or_none(&sql)?;
        self.capture = Some(capture);
        Ok(())
    }

    /// Makes or drops triggers: half of them would record half of what changes.
    fn all_or_none(&mut self, sql: &str) -> Result<(), SqliteError> {
        let done = self.sqlite.execute_batch(&format!("SAVEPOINT larder_capture; {sql} RELEASE larder_capture"));
        if done.is_err() {
            // Without a savepoint nothing was done.
            let _ = self.sqlite.execute_batch("ROLLBACK TO larder_capture; RELEASE larder_capture");
        }
        Ok(done?)
    }

    /// Records no more; what was not taken is forgotten.
    pub(crate) fn stop_capture(&mut self) -> Result<(), SqliteError> {
        if let Some(capture) = &self.capture {
            let drop = |name: &String| format!("DROP TRIGGER IF EXISTS temp.{name};");
            let sql = capture.triggers.iter().map(drop).collect::<String>();
            self.all_or_none(&sql)?;
        }
        self.capture = None;
        Ok(())
    }

    /// Whether changes are recorded.
    pub(crate) fn is_capturing(&self) -> bool {
        self.capture.is_some()
    }

    /// The changes since the last call, oldest first.
    pub(crate) fn take_changes(&mut self) -> Vec<RowChange> {
        self.capture.as_ref().map_or_else(Vec::new, |capture| {
            let mut buffer = lock(&capture.buffer);
            buffer.overflown = false;
            std::mem::take(&mut buffer.changes)
        })
    }

    /// Whether there are more changes than [`take_changes`](Self::take_changes) would give.
    pub(crate) fn changes_overflown(&self) -> bool {
        self.capture.as_ref().is_some_and(|capture| lock(&capture.buffer).overflown)
    }

    /// How many changes are recorded now: taken before a savepoint, for [`changes_truncate`](Self::changes_truncate).
    pub(crate) fn changes_mark(&self) -> usize {
        self.capture.as_ref().map_or(0, |capture| lock(&capture.buffer).changes.len())
    }

    /// Shows what was recorded since the mark; `None` when that is not all, or nothing is recorded.
    pub(crate) fn with_changes_since<R>(&self, mark: usize, look: impl FnOnce(&[RowChange]) -> R) -> Option<R> {
        let buffer = lock(&self.capture.as_ref()?.buffer);
        if buffer.overflown { None } else { buffer.changes.get(mark..).map(look) }
    }

    /// Forgets what was recorded since the mark, because it was rolled back.
    pub(crate) fn changes_truncate(&mut self, mark: usize) {
        if let Some(capture) = self.capture.as_ref().filter(|_| !seeded::bug("undone-rows-recorded")) {
            let mut buffer = lock(&capture.buffer);
            buffer.values.clear();
            buffer.changes.truncate(mark);
            // What was too much may have been before a mark at the end: then it still is.
            buffer.overflown &= mark >= MAX_ROWS;
        }
    }
}

fn lock(buffer: &Mutex<Buffer>) -> MutexGuard<'_, Buffer> {
    buffer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Buffer {
    fn tag(&self, table: usize, kind: Kind) -> i64 {
        self.secret << 16 | (table as i64) << 3 | (kind as i64) << 1
    }

    /// The first argument says which table, which kind, and whether further values follow in another call.
    fn add(&mut self, context: &Context<'_>) -> rusqlite::Result<Null> {
        let tag: i64 = if context.is_empty() { 0 } else { context.get(0)? };
        let (index, kind, more) = ((tag >> 3 & 0x1fff) as usize, tag >> 1 & 3, tag & 1 == 1);
        let Some(table) = self.tables.get(index).copied().filter(|_| tag >> 16 == self.secret) else {
            return Err(rusqlite::Error::UserFunctionError("function `larder_capture` is larder's own".into()));
        };
        self.values.reserve_exact(context.len() - 1);
        for index in 1..context.len() {
            self.values.push(from_sqlite(context.get_raw(index)).to_owned());
        }
        if !more {
            let values = std::mem::take(&mut self.values);
            let change = match kind {
                _ if seeded::bug("rows-unrecorded") => None,
                0 => Some(RowChange { table: table.name, old: None, new: Some(values) }),
                2 => Some(RowChange { table: table.name, old: Some(values), new: None }),
                _ => updated(table, values).filter(|_| !seeded::bug("update-unrecorded")),
            };
            if change.is_some() && self.changes.len() >= MAX_ROWS {
                self.overflown = true;
            } else {
                self.changes.extend(change);
            }
        }
        Ok(Null)
    }
}

/// An update; none when it left the row as it was.
fn updated(table: &'static TableSchema, mut old: Vec<Value>) -> Option<RowChange> {
    let new = old.split_off(table.columns.len().min(old.len()));
    let same = |(old, new): (&Value, &Value)| match (old, new) {
        // `0.0 == -0.0`, and yet it is a change.
        (Value::Real(old), Value::Real(new)) => old.to_bits() == new.to_bits(),
        (old, new) => old == new,
    };
    let unchanged = old.iter().zip(&new).all(same);
    if unchanged { None } else { Some(RowChange { table: table.name, old: Some(old), new: Some(new) }) }
}

fn trigger(sql: &mut String, name: &str, kind: Kind, table: &TableSchema, tag: i64) {
    let columns = |row: &'static str| table.columns.iter().map(move |column| format!("{row}.{}", quote(column.name)));
    let (event, values): (_, Vec<String>) = match kind {
        Kind::Insert => ("INSERT", columns("new").collect()),
        Kind::Update => ("UPDATE", columns("old").chain(columns("new")).collect()),
        Kind::Delete => ("DELETE", columns("old").collect()),
    };
    sql.push_str(&format!("CREATE TEMP TRIGGER {name} AFTER {event} ON main.{} BEGIN ", quote(table.name)));
    let calls = values.chunks(VALUES_PER_CALL);
    let last = calls.len().saturating_sub(1);
    for (index, values) in calls.enumerate() {
        let tag = if index < last { tag | 1 } else { tag };
        sql.push_str(&format!("SELECT larder_capture({tag}, {}); ", values.join(", ")));
    }
    sql.push_str("END;\n");
}
