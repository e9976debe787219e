//! Events that make room for others within one transaction, until they come back.

use super::{
    LogCursor, LogError,
    place::{number_at, place_of},
    sixteen,
};
use crate::{
    event::{EventId, EventNumber, StoredEvent},
    query::RowRef,
    storage::sqlite::{Connection, SqliteError},
    value::ValueRef,
};

/// Bytes of events that wait in memory. They are read to be checked anyway, and rows that wait in the file are written twice.
const MOST_BYTES: usize = 1 << 20;

/// Rows that are read and checked at once.
const READ_ROWS: usize = 256;

/// Where events wait.
pub(crate) enum Aside {
    /// All of them, in the order of the log.
    Memory(std::vec::IntoIter<StoredEvent>),
    /// At the negatives of their places, which no read of the log looks at.
    File,
}

impl Aside {
    /// Reads and checks all events behind the cursor, which are in the log until [`put`](Self::put).
    pub(crate) fn read(connection: &mut Connection, mut cursor: LogCursor) -> Result<Self, LogError> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        while cursor.read(connection, READ_ROWS)? > 0 {
            for row in cursor.rows() {
                bytes += size_of::<StoredEvent>() + row.name.len() + row.args.map_or(0, str::len);
                if bytes > MOST_BYTES {
                    events = Vec::new();
                    break;
                }
                events.push(row.to_stored());
            }
        }
        Ok(if bytes > MOST_BYTES { Self::File } else { Self::Memory(events.into_iter()) })
    }

    /// Takes the events, which begin with `first`, out of the log.
    pub(crate) fn put(&self, connection: &mut Connection, first: EventNumber) -> Result<(), SqliteError> {
        let first = place_of(first);
        match self {
            Self::Memory(_) => {
                let sql = "DELETE FROM larder_events WHERE place >= ?";
                connection.execute(sql, &[ValueRef::Integer(first)]).map(drop)
            }
            Self::File => put_in_file(connection, first),
        }
    }

    /// The next events, in the order that they had in the log; none when there are no more.
    pub(crate) fn take(&mut self, connection: &mut Connection, most: usize) -> Result<Vec<StoredEvent>, SqliteError> {
        match self {
            Self::Memory(events) => Ok(events.take(most).collect()),
            Self::File => take_from_file(connection, most),
        }
    }
}

/// Some at a time: until an UPDATE ends, SQLite keeps in memory what the pages held that it changes.
fn put_in_file(connection: &mut Connection, first: i64) -> Result<(), SqliteError> {
    let mut from = first;
    loop {
        let following = "SELECT place FROM larder_events WHERE place >= ? ORDER BY place LIMIT 1 OFFSET ?";
        let most = i64::try_from(READ_ROWS).unwrap_or(i64::MAX);
        let next = connection.integer(following, &[ValueRef::Integer(from), ValueRef::Integer(most)])?;
        let sql = "UPDATE larder_events SET place = -place WHERE place >= ? AND place < ?";
        connection.execute(sql, &[ValueRef::Integer(from), ValueRef::Integer(next.unwrap_or(i64::MAX))])?;
        match next {
            Some(next) => from = next,
            None => return Ok(()),
        }
    }
}

fn take_from_file(connection: &mut Connection, most: usize) -> Result<Vec<StoredEvent>, SqliteError> {
    let mut events = Vec::new();
    let sql = "SELECT place, generation, name, args, client_id, session_id, id FROM larder_events \
               JOIN larder_authors USING (author) WHERE place < 0 ORDER BY place DESC LIMIT ?";
    connection.each_row(sql, &[ValueRef::Integer(i64::try_from(most).unwrap_or(i64::MAX))], |row| {
        events.extend(event(row));
        Ok::<_, SqliteError>(true)
    })?;
    if let Some(last) = events.last() {
        let sql = "DELETE FROM larder_events WHERE place < 0 AND place >= ?";
        connection.execute(sql, &[ValueRef::Integer(-place_of(last.number))])?;
    }
    Ok(events)
}

fn event(row: &RowRef<'_>) -> Option<StoredEvent> {
    let [
        ValueRef::Integer(place),
        ValueRef::Integer(generation),
        ValueRef::Text(name),
        args,
        ValueRef::Text(client),
        ValueRef::Text(session),
        id,
    ] = [0, 1, 2, 3, 4, 5, 6].map(|column| row.value(column))
    else {
        return None;
    };
    Some(StoredEvent {
        number: number_at(-place, u32::try_from(generation).ok()?)?,
        name: name.to_owned(),
        args: match args {
            ValueRef::Text(args) => Some(args.to_owned()),
            _ => None,
        },
        client_id: client.into(),
        session_id: session.into(),
        id: sixteen(id).map(|id| EventId(u128::from_be_bytes(id))),
    })
}
