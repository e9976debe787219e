//! Which rows change: TEMP triggers hand old and new values to a function of ours, and who inserts a row says so.
//!
//! Triggers see what `update_hook` misses: rows that `REPLACE` or a reference's action deletes, a `DELETE` without `WHERE`, tables
//! without rowid. An AFTER trigger hears of a cascade's children before their parent.
//!
//! A statement with a trigger has SQLite keep each page as it was before it, which makes a commit of one row a tenth longer. So larder's own
//! inserts have none, and record the row that they were given. Triggers on inserts are made when the app's SQL comes, which may insert
//! anything.

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
    value::{Storage, Value, ValueRef},
};

/// A function takes at most 1,000 arguments in SQLite; an update of a wide table needs several calls.
const VALUES_PER_CALL: usize = 900;

/// Most changed rows that are kept of one transaction: what listens to more reads the tables anew.
pub(crate) const MAX_ROWS: usize = 65_536;

/// What one connection records.
pub(super) struct Capture {
    buffer: Arc<Mutex<Buffer>>,
}

struct Buffer {
    tables: Vec<&'static TableSchema>,
    // In every trigger's text and nowhere else, so that SQL of an app cannot call the function.
    secret: i64,
    values: Vec<Value>,
    changes: Vec<RowChange>,
    /// There were more than [`MAX_ROWS`].
    overflown: bool,
    /// How often a trigger has called.
    calls: u64,
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
            calls: 0,
        }));
        let shared = Arc::clone(&buffer);
        self.sqlite.create_scalar_function("larder_capture", -1, FunctionFlags::SQLITE_UTF8, move |context| {
            lock(&shared).add(context)
        })?;
        let sql = lock(&buffer).triggers(&[Kind::Update, Kind::Delete]);
        self.all_or_none(&sql)?;
        self.capture = Some(Capture { buffer });
        Ok(())
    }

    /// Writes one row by its table's own statement, an `INSERT` with or without `ON CONFLICT`, and records it.
    pub(crate) fn write_row<'v>(
        &mut self,
        table: &'static TableSchema,
        sql: &str,
        row: impl ExactSizeIterator<Item = ValueRef<'v>> + Clone,
    ) -> Result<u64, SqliteError> {
        let Some(capture) = &self.capture else { return self.write(sql, row) };
        let calls = lock(&capture.buffer).calls;
        if !is_stored_as_given(table, row.clone()) {
            self.hear_inserts()?;
        }
        let written = self.write(sql, row.clone())?;
        if let Some(capture) = &self.capture {
            lock(&capture.buffer).inserted(table, calls, written, row);
        }
        Ok(written)
    }

    /// From here on triggers hear of inserted rows, too: SQL of the app comes. If they are rolled back they are to be made again.
    pub(crate) fn hear_inserts(&mut self) -> Result<(), SqliteError> {
        let are_there = "SELECT 1 FROM temp.sqlite_schema WHERE name GLOB 'larder_capture_*_0' LIMIT 1";
        if !self.is_capturing() || self.integer(are_there, &[])?.is_some() {
            return Ok(());
        }
        let Some(capture) = &self.capture else { return Ok(()) };
        let triggers = lock(&capture.buffer).triggers(&[Kind::Insert]);
        self.all_or_none(&triggers)
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
            let tables = lock(&capture.buffer).tables.len();
            let names = (0..tables).flat_map(|table| KINDS.map(|kind| name(table, kind)));
            let sql = names.map(|name| format!("DROP TRIGGER IF EXISTS temp.{name};")).collect::<String>();
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
            self.calls += 1;
            self.record(match kind {
                0 => Some(RowChange { table: table.name, old: None, new: Some(values) }),
                2 => Some(RowChange { table: table.name, old: Some(values), new: None }),
                _ => updated(table, values).filter(|_| !seeded::bug("update-unrecorded")),
            });
        }
        Ok(Null)
    }

    /// So many rows were inserted by a statement of larder's, or updated, which a trigger hears; it had called so often before.
    fn inserted<'v>(&mut self, table: &TableSchema, calls: u64, written: u64, row: impl Iterator<Item = ValueRef<'v>>) {
        let is_recorded = self.tables.iter().any(|recorded| recorded.name == table.name);
        if is_recorded && written > 0 && self.calls == calls {
            let new = row.map(ValueRef::to_owned).collect();
            self.record(Some(RowChange { table: table.name, old: None, new: Some(new) }));
        }
    }

    fn record(&mut self, change: Option<RowChange>) {
        let change = change.filter(|_| !seeded::bug("rows-unrecorded"));
        if change.is_some() && self.changes.len() >= MAX_ROWS {
            self.overflown = true;
        } else {
            self.changes.extend(change);
        }
    }

    /// What makes the triggers of all tables.
    fn triggers(&self, kinds: &[Kind]) -> String {
        let mut sql = String::new();
        for (index, table) in self.tables.iter().enumerate() {
            kinds.iter().for_each(|kind| trigger(&mut sql, &name(index, *kind), *kind, table, self.tag(index, *kind)));
        }
        sql
    }
}

/// Whether SQLite stores these values and no others: a strict column turns what is of another type into its own, a rowid that is not given
/// is made up, and a float that is no number is `NULL`.
fn is_stored_as_given<'v>(table: &TableSchema, mut row: impl Iterator<Item = ValueRef<'v>>) -> bool {
    table.columns.iter().enumerate().all(|(index, column)| match (row.next(), column.ty.storage) {
        (Some(ValueRef::Null), _) => !table.is_key(index),
        (Some(ValueRef::Integer(_)), Storage::Integer)
        | (Some(ValueRef::Text(_)), Storage::Text)
        | (Some(ValueRef::Blob(_)), Storage::Blob) => true,
        // `-0.0` is stored as `0`.
        (Some(ValueRef::Real(value)), Storage::Real) => !value.is_nan() && (value != 0.0 || value.is_sign_positive()),
        _ => false,
    })
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

fn name(table: usize, kind: Kind) -> String {
    format!("larder_capture_{table}_{}", kind as u8)
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
