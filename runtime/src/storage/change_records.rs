//! Change records: beside each event that the sync backend has not confirmed, what it changed, so that it can be undone.
//!
//! Only a store with a backend keeps them, and its file has a table for them. A record of a commit is in memory first, where most are until
//! the event is confirmed: a row more in each commit makes it a third longer. It goes into the file when the store is idle or closed, or
//! when there are many; and leaves it in the transaction that notes the confirmation. An event may have none: it was committed before there
//! was a backend, or right before the process was killed, or it changed more than a record holds. Then nothing before it can be undone row
//! by row, and the tables are to be rebuilt instead.

mod recent;
mod undo;

use self::recent::Recent;
pub(crate) use undo::{Undoer, Undone, last_places};

use super::{
    eventlog::{ChainKey, Checksum, last_of, place_of, sixteen},
    meta,
    sqlite::{Connection, SqliteError},
};
use crate::{change::RowChange, seeded, value::ValueRef};

const DDL: &str =
    "CREATE TABLE larder_changes (place INTEGER PRIMARY KEY, changes BLOB NOT NULL, checksum BLOB NOT NULL) STRICT";

/// Most bytes of one record: 4 MiB, sixteen times the largest event. To undo more row by row costs more than to rebuild.
const MAX_BYTES: usize = 4 << 20;

/// Keeps change records.
pub(crate) struct Keeper {
    key: ChainKey,
    /// Events up to this place need no record.
    confirmed: i64,
    recent: Recent,
    in_file: InFile,
    scratch: Vec<u8>,
}

/// Whether there are records in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InFile {
    Maybe,
    /// None are left if the transaction that runs is committed.
    Leaving,
    None,
}

impl Keeper {
    /// For the file of this key, of which all events up to the synced one at `confirmed` are confirmed.
    pub(crate) fn new(key: ChainKey, confirmed: u64) -> Self {
        let confirmed = place_of(last_of(confirmed));
        Self { key, confirmed, recent: Recent::default(), in_file: InFile::Maybe, scratch: Vec::new() }
    }

    /// Whether the event at this place is to have a record.
    pub(crate) fn wants(&self, place: i64) -> bool {
        place > self.confirmed
    }

    /// Keeps what has changed since `mark` as the record of the event at `place`, in memory if there is room. It gets none when it is
    /// confirmed, when what it changed was not captured, and when that is too much.
    pub(crate) fn keep(&mut self, connection: &mut Connection, place: i64, mark: usize) -> Result<(), SqliteError> {
        if !self.encode(connection, place, mark) || self.recent.keep(place, &self.scratch) {
            return Ok(());
        }
        self.in_file = InFile::Maybe;
        insert(connection, &self.key, place, &self.scratch)
    }

    /// As [`keep`](Self::keep), in the file.
    pub(crate) fn write(&mut self, connection: &mut Connection, place: i64, mark: usize) -> Result<(), SqliteError> {
        if self.encode(connection, place, mark) { insert(connection, &self.key, place, &self.scratch) } else { Ok(()) }
    }

    /// Whether there is something to keep.
    fn encode(&mut self, connection: &Connection, place: i64, mark: usize) -> bool {
        if !self.wants(place) {
            return false;
        }
        let scratch = &mut self.scratch;
        scratch.clear();
        connection.with_changes_since(mark, |changes| encode(changes, scratch)) == Some(true)
            && !seeded::bug("change-record-not-kept")
    }

    /// Whether there are records that are not in the file, and too many of them to keep more.
    pub(crate) fn is_full(&self) -> bool {
        self.recent.is_full()
    }

    /// Whether there are records that are not in the file.
    pub(crate) fn has_recent(&self) -> bool {
        self.recent.committed().next().is_some()
    }

    /// Writes them into the transaction; they stay in memory until [`stored`](Self::stored).
    pub(crate) fn store(&mut self, connection: &mut Connection) -> Result<(), SqliteError> {
        self.in_file = InFile::Maybe;
        self.recent.committed().try_for_each(|(place, record)| insert(connection, &self.key, place, record))
    }

    /// What was written by [`store`](Self::store) is committed.
    pub(crate) fn stored(&mut self) {
        self.recent.forget_to(i64::MAX);
    }

    /// Deletes the records of the events up to `place`, which are confirmed, from the file.
    pub(crate) fn confirm(&mut self, connection: &mut Connection, place: i64) -> Result<(), SqliteError> {
        if self.in_file == InFile::None || seeded::bug("change-records-kept-for-ever") {
            return Ok(());
        }
        connection.execute("DELETE FROM larder_changes WHERE place <= ?", &[ValueRef::Integer(place)])?;
        if connection.integer("SELECT 1 FROM larder_changes LIMIT 1", &[])?.is_none() {
            self.in_file = InFile::Leaving;
        }
        Ok(())
    }

    /// The confirmation is committed.
    pub(crate) fn confirmed(&mut self, place: i64) {
        self.confirmed = place;
        self.recent.forget_to(place);
    }

    /// Forgets the records of all events from a place on, if the transaction is committed.
    pub(crate) fn forget_from(&mut self, connection: &mut Connection, place: i64) -> Result<(), SqliteError> {
        self.recent.undo_from(place);
        connection.execute("DELETE FROM larder_changes WHERE place >= ?", &[ValueRef::Integer(place)]).map(drop)
    }

    /// The events behind a place were taken back, inside of the transaction that appended them.
    pub(crate) fn take_back(&mut self, place: i64) {
        self.recent.take_back(place);
    }

    /// The transaction is committed.
    pub(crate) fn committed(&mut self) {
        self.recent.commit();
        if self.in_file == InFile::Leaving {
            self.in_file = InFile::None;
        }
    }

    /// The transaction is rolled back.
    pub(crate) fn rolled_back(&mut self) {
        self.recent.roll_back();
        if self.in_file == InFile::Leaving {
            self.in_file = InFile::Maybe;
        }
    }

    /// Gives back what an idle store does not need.
    pub(crate) fn release_memory(&mut self) {
        self.scratch = Vec::new();
    }
}

fn insert(connection: &mut Connection, key: &ChainKey, place: i64, record: &[u8]) -> Result<(), SqliteError> {
    let checksum = key.record_checksum(place, record);
    let sql = "INSERT INTO larder_changes (place, changes, checksum) VALUES (?, ?, ?)";
    let params = [ValueRef::Integer(place), ValueRef::Blob(record), ValueRef::Blob(&checksum)];
    connection.execute(sql, &params).map(drop)
}

/// Makes the table if records are kept, and drops it if they are not: what was kept before is of no use once an event has none. Inside a
/// transaction.
pub(crate) fn set_up(connection: &mut Connection, kept: bool) -> Result<(), SqliteError> {
    let there = exist(connection)?;
    match (there, kept) {
        (false, true) => connection.batch(DDL)?,
        (true, false) => connection.batch("DROP TABLE larder_changes")?,
        _ => return Ok(()),
    }
    meta::put_schema(connection)
}

/// Forgets all records: the tables they are of are dropped.
pub(crate) fn forget(connection: &mut Connection) -> Result<(), SqliteError> {
    connection.batch("DROP TABLE IF EXISTS larder_changes")
}

/// How many records are not as they were written.
pub(crate) fn damaged(connection: &mut Connection, key: &ChainKey) -> Result<u64, SqliteError> {
    let mut damaged = 0;
    if exist(connection)? {
        connection.each_row("SELECT place, changes, checksum FROM larder_changes", &[], |row| {
            let sound = match (row.value(0), row.value(1), sixteen(row.value(2))) {
                (ValueRef::Integer(place), ValueRef::Blob(changes), Some(sum)) => {
                    key.record_checksum(place, changes) == sum
                }
                _ => false,
            };
            damaged += u64::from(!sound);
            Ok::<_, SqliteError>(true)
        })?;
    }
    Ok(damaged)
}

/// Whether there may be records: there was a backend when the last event was committed.
pub(crate) fn exist(connection: &mut Connection) -> Result<bool, SqliteError> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'larder_changes'";
    Ok(connection.integer(sql, &[])?.is_some())
}

impl ChainKey {
    fn record_checksum(&self, place: i64, changes: &[u8]) -> Checksum {
        self.keyed(&[b"larder change record 1", &place.to_le_bytes(), changes])
    }
}

/// The changed rows in order; false when they are more than a record holds. Of each: the table as a text, a byte (0 inserted, 1 updated,
/// 2 deleted), how many columns in 4 bytes, then the values before and the values after, as far as there are any, in column order. Numbers
/// are little-endian; a value is written as [`ValueRef::write_canonical`] does.
fn encode(changes: &[RowChange], into: &mut Vec<u8>) -> bool {
    for change in changes {
        ValueRef::Text(change.table).write_canonical(&mut |bytes| into.extend_from_slice(bytes));
        let (kind, columns) = match (&change.old, &change.new) {
            (None, new) => (0, new.as_ref().map_or(0, Vec::len)),
            (Some(old), Some(_)) => (1, old.len()),
            (Some(old), None) => (2, old.len()),
        };
        into.push(kind);
        into.extend_from_slice(&u32::try_from(columns).unwrap_or(u32::MAX).to_le_bytes());
        for value in change.old.iter().chain(&change.new).flatten() {
            value.as_ref().write_canonical(&mut |bytes| into.extend_from_slice(bytes));
        }
        if into.len() > MAX_BYTES {
            return false;
        }
    }
    true
}
