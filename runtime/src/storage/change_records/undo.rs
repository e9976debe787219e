//! Undoing an event row by row, by its change record.

use super::{Keeper, sixteen};
use crate::{
    seeded,
    storage::{
        eventlog::ChainKey,
        sqlite::{Connection, SqliteError, SqliteErrorKind},
    },
    table::{TableSchema, quote},
    value::{Value, ValueRef},
};

/// What became of an event that was to be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// The tables are as they were before it.
    Yes,
    /// It cannot be undone row by row: it has no record, the record is damaged, or the tables are not what the record says.
    No,
}

/// Undoes events of one file.
pub(crate) struct Undoer {
    tables: Vec<Inverse>,
}

/// The statements that undo a change of one table.
struct Inverse {
    table: &'static TableSchema,
    delete: String,
    update: String,
}

impl Inverse {
    fn new(table: &'static TableSchema) -> Self {
        let each = |between: &str, text: &dyn Fn(usize) -> String| {
            (0..table.columns.len()).map(text).collect::<Vec<_>>().join(between)
        };
        let name = |column: usize| quote(table.columns[column].name);
        // The whole row is compared: one that is not what the record left is not undone by halves.
        let is_row = |first: usize| {
            each(" AND ", &|column| {
                let compare = if table.primary_key.contains(&column) { "=" } else { "IS" };
                format!("{} {compare} ?{}", name(column), first + column)
            })
        };
        let columns = table.columns.len();
        let table_name = quote(table.name);
        let set = each(", ", &|column| format!("{} = ?{}", name(column), column + 1));
        Self {
            table,
            delete: format!("DELETE FROM {table_name} WHERE {}", is_row(1)),
            update: format!("UPDATE {table_name} SET {set} WHERE {}", is_row(columns + 1)),
        }
    }
}

/// One changed row of a record.
struct Change<'r> {
    table: usize,
    old: Vec<ValueRef<'r>>,
    new: Vec<ValueRef<'r>>,
}

impl Undoer {
    /// For a file with these tables.
    pub(crate) fn new(tables: &[&'static TableSchema]) -> Self {
        Self { tables: tables.iter().copied().map(Inverse::new).collect() }
    }

    /// Undoes the event at a place, its last change first. Each change is of exactly one row. What was undone of an event that cannot be
    /// undone wholly stays: the transaction is to be given up. References are not to be enforced meanwhile. The record stays, too.
    ///
    /// # Errors
    /// When storage fails.
    pub(crate) fn undo(&self, connection: &mut Connection, keeper: &Keeper, place: i64) -> Result<Undone, SqliteError> {
        if let Some(record) = keeper.recent.get(place) {
            return self.undo_record(connection, record);
        }
        match read(connection, &keeper.key, place)? {
            Some(record) => self.undo_record(connection, &record),
            None => Ok(Undone::No),
        }
    }

    fn undo_record(&self, connection: &mut Connection, record: &[u8]) -> Result<Undone, SqliteError> {
        let Some(changes) = self.decode(record) else { return Ok(Undone::No) };
        for change in changes.iter().rev() {
            if !self.undo_row(connection, change)? {
                return Ok(Undone::No);
            }
        }
        Ok(Undone::Yes)
    }

    fn undo_row(&self, connection: &mut Connection, change: &Change<'_>) -> Result<bool, SqliteError> {
        let inverse = &self.tables[change.table];
        let undone = match (change.old.is_empty(), change.new.is_empty()) {
            (true, _) => connection.execute(&inverse.delete, &change.new),
            (false, true) => {
                let table = inverse.table;
                connection.write_row(table, &table.statements().insert, change.old.iter().copied())
            }
            (false, false) => connection.execute(&inverse.update, &[&change.old[..], &change.new].concat()),
        };
        match undone {
            Ok(rows) => Ok(rows == 1 || seeded::bug("undone-rows-uncounted")),
            // A row that stands where there was none.
            Err(error) if matches!(error.kind, SqliteErrorKind::Constraint(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The changes of a record; `None` when it is not one of these tables'.
    fn decode<'r>(&self, mut bytes: &'r [u8]) -> Option<Vec<Change<'r>>> {
        let mut changes = Vec::new();
        while !bytes.is_empty() {
            let ValueRef::Text(name) = ValueRef::read_canonical(&mut bytes)? else { return None };
            let table = self.tables.iter().position(|inverse| inverse.table.name == name)?;
            let (kind, rest) = bytes.split_first()?;
            let (columns, rest) = rest.split_first_chunk()?;
            bytes = rest;
            let columns = usize::try_from(u32::from_le_bytes(*columns)).ok()?;
            if columns != self.tables[table].table.columns.len() {
                return None;
            }
            let mut row = |there: bool| {
                let columns = if there { columns } else { 0 };
                (0..columns).map(|_| ValueRef::read_canonical(&mut bytes)).collect::<Option<Vec<_>>>()
            };
            let (old, new) = (row(*kind != 0)?, row(*kind != 2)?);
            changes.push(Change { table, old, new });
        }
        Some(changes)
    }
}

/// The record of a place in the file, if it checks.
fn read(connection: &mut Connection, key: &ChainKey, place: i64) -> Result<Option<Vec<u8>>, SqliteError> {
    let sql = "SELECT changes, checksum FROM larder_changes WHERE place = ?";
    let record = connection.row(sql, &[ValueRef::Integer(place)], |row| {
        Ok::<_, SqliteError>(match (row.value(0), sixteen(row.value(1))) {
            (ValueRef::Blob(changes), Some(sum)) if key.record_checksum(place, changes) == sum => {
                Some(changes.to_vec())
            }
            _ => None,
        })
    });
    Ok(record.map_err(SqliteError::of_stored)?.flatten())
}

/// The last `most` places from `first` on and before `end` that have an event, newest first.
pub(crate) fn last_places(
    connection: &mut Connection,
    (first, end): (i64, i64),
    most: usize,
) -> Result<Vec<i64>, SqliteError> {
    let mut places = Vec::new();
    let sql = "SELECT place FROM larder_events WHERE place >= ? AND place < ? ORDER BY place DESC LIMIT ?";
    let params = [first, end, i64::try_from(most).unwrap_or(i64::MAX)].map(ValueRef::Integer);
    connection.each_row(sql, &params, |row| {
        if let Value::Integer(place) = row.value(0).to_owned() {
            places.push(place);
        }
        Ok::<_, SqliteError>(true)
    })?;
    Ok(places)
}
