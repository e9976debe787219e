//! Verifying: the tables rebuilt in memory, compared with those in the file, row by row in key order, and the indexes with their tables.

use super::{
    Engine,
    read::Span,
    replay::{Log, ReplayError, replay},
};
use crate::{
    error::{QueryError, QueryErrorKind},
    options::Durability,
    seeded,
    storage::{
        change_records,
        eventlog::{self, LogCursor, LogHead},
        sqlite::{Access, Connection, Place, SqliteError},
    },
    table::{TableSchema, quote},
    telemetry,
    value::ValueRef,
};

/// What [`Store::verify`](crate::Store::verify) found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Events whose checksum was checked and which were applied anew.
    pub events: u64,
    /// Each table of the schema.
    pub tables: Vec<TableReport>,
    /// What is wrong with the eventlog, if anything is; then the tables were not compared.
    pub log_damage: Option<String>,
    /// Change records of unconfirmed events that are not as they were written. They are made again when the next load rebuilds the tables.
    pub damaged_change_records: u64,
}

/// One table of a [`VerifyReport`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableReport {
    /// The SQL name.
    pub name: &'static str,
    /// Rows in the store's file.
    pub rows: u64,
    /// Rows that the eventlog makes.
    pub expected_rows: u64,
    /// The canonical hash of the rows in the store's file, in key order.
    pub hash: [u8; 16],
    /// The same of the rows that the eventlog makes.
    pub expected_hash: [u8; 16],
    /// What SQLite's own check finds wrong with the table or its indexes, if anything is: a filter may miss rows that are there.
    pub damage: Option<String>,
}

impl VerifyReport {
    /// Whether the log checks and every table is what the log makes.
    pub fn is_sound(&self) -> bool {
        self.log_damage.is_none() && self.damaged_change_records == 0 && self.tables.iter().all(TableReport::is_sound)
    }
}

impl TableReport {
    /// Whether the table is what the log makes, and its indexes have all of it.
    pub fn is_sound(&self) -> bool {
        self.damage.is_none() && self.hash == self.expected_hash && self.rows == self.expected_rows
    }
}

impl Engine {
    /// Rebuilds the tables in memory and compares. Tables that differ are rebuilt at the next load.
    pub(crate) fn verify(&self) -> Result<VerifyReport, QueryError> {
        let span = self.timed(telemetry::verify(self.name()));
        let _entered = span.enter();
        let mut report = VerifyReport { events: 0, tables: Vec::new(), log_damage: None, damaged_change_records: 0 };
        self.read(Span::Snapshot, &mut |connection| {
            let mut fresh = self.fresh_tables()?;
            let cursor = LogCursor::at(self.shared.key.clone(), LogHead::EMPTY);
            let log = Log::Apart(&mut *connection);
            let replayed = replay(&self.shared.model, &mut fresh, log, cursor, None, |done, _, _| {
                report.events = done.events();
                self.gate.check_read()
            });
            match replayed {
                Ok(_) => {}
                Err(ReplayError::Log(error)) if error.is_damage() => {
                    report.log_damage = Some(error.to_string());
                    return Ok(());
                }
                Err(ReplayError::Log(error)) => return Err(self.log_refused(error)),
                Err(ReplayError::Tables(error)) => return Err(in_memory(&error)),
                Err(ReplayError::Observer(error)) => return Err(error.into()),
            }
            for table in self.shared.model.tables() {
                report.tables.push(self.compare(table, connection, &mut fresh)?);
            }
            let damaged = change_records::damaged(connection, &self.shared.key);
            report.damaged_change_records =
                damaged.map_err(|error| self.refused("the change records", error.of_stored()))?;
            Ok(())
        })?;
        span.record("events", report.events);
        if !report.is_sound() {
            self.mark_suspect();
        }
        Ok(report)
    }

    fn fresh_tables(&self) -> Result<Connection, QueryErrorKind> {
        let failed = |error: SqliteError| in_memory(&error);
        let access = Access::Writer { create: true, durability: Durability::Process };
        let mut fresh = Connection::open(&Place::Memory, access).map_err(failed)?;
        fresh.batch("BEGIN").map_err(failed)?;
        fresh.batch(eventlog::DDL).map_err(failed)?;
        super::open::create_tables(&mut fresh, &self.shared.model).map_err(failed)?;
        Ok(fresh)
    }

    fn compare(
        &self,
        table: &'static TableSchema,
        stored: &mut Connection,
        fresh: &mut Connection,
    ) -> Result<TableReport, QueryErrorKind> {
        self.gate.check_read()?;
        let refused = |error: SqliteError| self.refused(table.name, error.of_stored());
        let (rows, hash) = table_hash(stored, table).map_err(refused)?;
        let fresh = table_hash(fresh, table).map_err(|error| in_memory(&error))?;
        let damage = damage(stored, table).map_err(refused)?;
        Ok(TableReport { name: table.name, rows, expected_rows: fresh.0, hash, expected_hash: fresh.1, damage })
    }
}

fn in_memory(error: &SqliteError) -> QueryErrorKind {
    QueryErrorKind::Storage { message: format!("tables in memory: {error}") }
}

/// How many rows a table has, and the hash of all in key order. The table's own b-tree is read, so that a damaged index cannot
/// hide a row.
fn table_hash(connection: &mut Connection, table: &TableSchema) -> Result<(u64, [u8; 16]), SqliteError> {
    let all = (0..table.columns.len()).collect::<Vec<_>>();
    let sql = format!(
        "SELECT {} FROM {} NOT INDEXED ORDER BY {}",
        table.names(&all),
        quote(table.name),
        table.names(table.primary_key)
    );
    let (mut rows, mut hasher) = (0, blake3::Hasher::new());
    let mut write = |bytes: &[u8]| {
        hasher.update(bytes);
    };
    connection.each_row(&sql, &[], |row| {
        rows += 1;
        (0..table.columns.len()).for_each(|column| row.value(column).write_canonical(&mut write));
        Ok::<_, SqliteError>(true)
    })?;
    let mut hash = [0; 16];
    hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Ok((rows, hash))
}

/// The first thing that SQLite's check finds, of the indexes above all: that each has an entry for every row, and no other.
fn damage(connection: &mut Connection, table: &TableSchema) -> Result<Option<String>, SqliteError> {
    let mut found = None;
    if seeded::bug("index-unverified") {
        return Ok(found);
    }
    connection.each_row(&format!("PRAGMA integrity_check({})", quote(table.name)), &[], |row| {
        if let ValueRef::Text(problem) = row.value(0)
            && problem != "ok"
        {
            found = Some(problem.to_owned());
        }
        Ok::<_, SqliteError>(found.is_none())
    })?;
    Ok(found)
}
