//! Events that make room: within one transaction they wait at the negatives of their places, which no read of the log looks at.

use super::{
    place::{number_at, place_of},
    sixteen,
};
use crate::{
    event::{EventId, EventNumber, StoredEvent},
    query::RowRef,
    storage::sqlite::{Connection, SqliteError},
    value::ValueRef,
};

/// Puts all events from `first` on aside.
pub(crate) fn put_aside(connection: &mut Connection, first: EventNumber) -> Result<(), SqliteError> {
    let sql = "UPDATE larder_events SET place = -place WHERE place >= ?";
    connection.execute(sql, &[ValueRef::Integer(place_of(first))]).map(drop)
}

/// Takes the next events that were put aside, in the order that they had in the log; none when there are no more. Their rows were checked
/// before they were put there.
pub(crate) fn take_aside(connection: &mut Connection, most: usize) -> Result<Vec<StoredEvent>, SqliteError> {
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
