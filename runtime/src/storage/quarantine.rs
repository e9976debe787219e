//! Quarantined events in the file: pending ones that a rebase could not bring back. They are in no log and in no table of the schema.
//!
//! The table is made with the first of them. Nothing deletes one but its arrival from the backend.

use super::{
    eventlog::{number_at, place_of, sixteen},
    meta,
    sqlite::{Connection, SqliteError},
};
use crate::{
    event::{EventId, StoredEvent},
    value::{Value, ValueRef},
};

const DDL: &str = "CREATE TABLE larder_quarantine (entry INTEGER PRIMARY KEY, place INTEGER NOT NULL, generation INTEGER NOT NULL, \
                   name TEXT NOT NULL, args TEXT, client_id TEXT NOT NULL, session_id TEXT NOT NULL, id BLOB, reason TEXT NOT NULL) STRICT";

/// Adds an event, with the number that it had, and why it is here. Inside a transaction.
pub(crate) fn put(connection: &mut Connection, event: &StoredEvent, reason: &str) -> Result<(), SqliteError> {
    if !exists(connection)? {
        connection.batch(DDL)?;
        meta::put_schema(connection)?;
    }
    let id = event.id.map(|id| id.0.to_be_bytes());
    let sql = "INSERT INTO larder_quarantine (place, generation, name, args, client_id, session_id, id, reason) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let params = [
        ValueRef::Integer(place_of(event.number)),
        ValueRef::Integer(i64::from(event.number.generation())),
        ValueRef::Text(&event.name),
        event.args.as_deref().map_or(ValueRef::Null, ValueRef::Text),
        ValueRef::Text(event.client_id.as_str()),
        ValueRef::Text(event.session_id.as_str()),
        id.as_ref().map_or(ValueRef::Null, |id| ValueRef::Blob(id)),
        ValueRef::Text(reason),
    ];
    connection.execute(sql, &params).map(drop)
}

/// All of them with their reasons, oldest first.
pub(crate) fn all(connection: &mut Connection) -> Result<Vec<(StoredEvent, String)>, SqliteError> {
    let mut found = Vec::new();
    if !exists(connection)? {
        return Ok(found);
    }
    let sql =
        "SELECT place, generation, name, args, client_id, session_id, id, reason FROM larder_quarantine ORDER BY entry";
    connection.each_row(sql, &[], |row| {
        found.extend(entry([0, 1, 2, 3, 4, 5, 6, 7].map(|column| row.value(column))));
        Ok::<_, SqliteError>(true)
    })?;
    Ok(found)
}

fn entry(row: [ValueRef<'_>; 8]) -> Option<(StoredEvent, String)> {
    let [place, generation, name, args, client, session, id, reason] = row.map(ValueRef::to_owned);
    let (Value::Integer(place), Value::Integer(generation), Value::Text(name)) = (place, generation, name) else {
        return None;
    };
    let (Value::Text(client), Value::Text(session), Value::Text(reason)) = (client, session, reason) else {
        return None;
    };
    let args = match args {
        Value::Text(args) => Some(args),
        _ => None,
    };
    let event = StoredEvent {
        number: number_at(place, u32::try_from(generation).ok()?)?,
        name,
        args,
        client_id: client.as_str().into(),
        session_id: session.as_str().into(),
        id: sixteen(id.as_ref()).map(|id| EventId(u128::from_be_bytes(id))),
    };
    Some((event, reason))
}

/// Forgets the event of this id; whether there was one.
pub(crate) fn remove(connection: &mut Connection, id: EventId) -> Result<bool, SqliteError> {
    if !exists(connection)? {
        return Ok(false);
    }
    let id = id.0.to_be_bytes();
    Ok(connection.execute("DELETE FROM larder_quarantine WHERE id = ?", &[ValueRef::Blob(&id)])? > 0)
}

/// Forgets the events that this says it of. They are asked about oldest first.
pub(crate) fn remove_if(
    connection: &mut Connection,
    mut is_gone: impl FnMut(&StoredEvent) -> bool,
) -> Result<(), SqliteError> {
    let mut gone = Vec::new();
    let sql = "SELECT place, generation, name, args, client_id, session_id, id, reason, entry FROM larder_quarantine ORDER BY entry";
    connection.each_row(sql, &[], |row| {
        let found = entry([0, 1, 2, 3, 4, 5, 6, 7].map(|column| row.value(column)));
        if found.is_some_and(|(event, _)| is_gone(&event)) {
            gone.push(row.value(8).to_owned());
        }
        Ok::<_, SqliteError>(true)
    })?;
    let delete = |entry: &Value| {
        connection.execute("DELETE FROM larder_quarantine WHERE entry = ?", &[entry.as_ref()]).map(drop)
    };
    gone.iter().try_for_each(delete)
}

/// Whether there has ever been one.
pub(crate) fn exists(connection: &mut Connection) -> Result<bool, SqliteError> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'larder_quarantine'";
    Ok(connection.integer(sql, &[])?.is_some())
}

/// Copies all into another file, which has none.
pub(crate) fn copy(from: &mut Connection, to: &mut Connection) -> Result<(), SqliteError> {
    all(from)?.iter().try_for_each(|(event, reason)| put(to, event, reason))
}
