//! Rebuilding tables from the eventlog when they are not those of the schema: wholly old or wholly new.

use std::collections::HashSet;

use super::{
    LoadProgress, OpenRequest,
    open::{Stop, create_tables, log_error, schema_error, sqlite_error},
    replay::{Log, ReplayError, Replayed, replay},
    seal::Seal,
    timed::Timed,
};
use crate::{
    document::CHANGED,
    error::{LoadError, shown},
    event::EventNumber,
    options::UnknownEvents,
    seeded,
    storage::{
        change_records,
        eventlog::{ChainKey, LogCursor, LogHead, LogPage, number_at},
        meta,
        sqlite::{Access, Connection, Place, SqliteError, SqliteErrorKind},
    },
    table::quote,
    telemetry,
    value::ValueRef,
};

/// Logs of so many events are read on a thread of their own.
const READ_APART: u64 = 2_000;

/// How many events the tables were rebuilt of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rebuilt {
    pub(super) applied: u64,
    pub(super) failed: u64,
    pub(super) unknown: u64,
}

/// Rebuilds the tables of a store's file, in one transaction.
pub(super) fn in_place(
    request: &OpenRequest,
    seal: &mut Seal,
    connection: &mut Connection,
    (confirmed, key): (u64, &ChainKey),
    head: &LogHead,
) -> Result<Rebuilt, Stop> {
    let span = Timed::new(telemetry::rebuild(&request.name), &request.runtime);
    let _entered = span.enter();
    let tables = |error| tables_error(request, error);
    connection.begin_writing().map_err(tables)?;
    seal.sign(connection, head.ordinal).map_err(tables)?;
    drop_tables(connection).map_err(tables)?;
    create_tables(connection, &request.model).map_err(|error| schema_error(request, error))?;
    change_records::set_up(connection, request.options.sync.is_some()).map_err(tables)?;
    let cursor = LogCursor::at(key.clone(), LogHead::EMPTY);
    let observe = |done: &Replayed, _: &LogPage, _: &mut Connection| observe(request, done, head.ordinal);
    let mut reader = reader(request, key, head);
    let log = reader.as_mut().map_or(Log::Same, Log::Apart);
    let replayed = replay(&request.model, connection, log, cursor, request.keeper(key, confirmed), observe);
    drop(reader);
    let done = replayed.map_err(|error| replay_error(request, error))?;
    finish(request, connection, &done, confirmed)?;
    connection.batch("COMMIT").map_err(tables)?;
    seal.ended(true);
    span.record("events", done.events());
    span.record("failed", done.failed);
    Ok(Rebuilt { applied: done.applied, failed: done.failed, unknown: done.unknown_events() })
}

/// A connection of its own for reading the log ahead, where that pays. None where there cannot be a second one, or not now.
fn reader(request: &OpenRequest, key: &ChainKey, head: &LogHead) -> Option<Connection> {
    let Place::File(_) = &request.place else { return None };
    if head.ordinal < READ_APART {
        return None;
    }
    let mut reader = Connection::open(&request.place, Access::Reader).ok()?;
    let found = LogHead::load(&mut reader, key).ok()?;
    (found == *head).then_some(reader)
}

/// Between two batches: progress, cancellation, and an unknown event that is not allowed.
pub(super) fn observe(request: &OpenRequest, done: &Replayed, total: u64) -> Result<(), LoadError> {
    if request.cancel.is_cancelled() {
        return Err(LoadError::Cancelled { store: request.name.clone() });
    }
    (request.progress)(LoadProgress { done: done.events(), total });
    match done.unknown.iter().min_by_key(|(_, (place, _))| *place) {
        Some((name, (place, _))) if request.options.unknown_events == UnknownEvents::Fail => {
            Err(unknown_event(request, name, *place))
        }
        _ => Ok(()),
    }
}

/// After the last event: whose log it is, what is unknown, and whose tables these are now.
pub(super) fn finish(
    request: &OpenRequest,
    connection: &mut Connection,
    done: &Replayed,
    confirmed: u64,
) -> Result<(), Stop> {
    let tables = |error| tables_error(request, error);
    // Documents of an earlier release say nothing of whose log it is: every definition may have some.
    let mut strangers = done.unknown.keys().filter(|name| *name != CHANGED.name).peekable();
    let is_unknown = done.applied + done.failed == 0 && strangers.peek().is_some();
    if is_unknown && (confirmed == 0 || has_own(request, connection).map_err(tables)?) {
        let names = strangers.take(3).map(|name| format!("`{}`", shown(name))).collect::<Vec<_>>().join(", ");
        return Err(Stop::Load(LoadError::DefinitionConflict {
            name: request.name.definition().to_owned(),
            owner: format!("whoever committed {names} to {}", request.name),
            other: request.model.type_name().to_owned(),
        }));
    }
    for (name, (place, events)) in &done.unknown {
        warn_unknown(request, name, *events);
        let sql = "INSERT INTO larder_unknown (name, place, events) VALUES (?, ?, ?)";
        let events = i64::try_from(*events).unwrap_or(i64::MAX);
        connection
            .execute(sql, &[ValueRef::Text(name), ValueRef::Integer(*place), ValueRef::Integer(events)])
            .map_err(tables)?;
    }
    meta::put_schema(connection).map_err(tables)?;
    meta::put_fingerprint(connection, request.model.fingerprint()).map_err(tables)
}

/// Whether this client has committed any of the events. Those of others, which a backend has brought, may all be of a newer release.
fn has_own(request: &OpenRequest, connection: &mut Connection) -> Result<bool, SqliteError> {
    let mut is_own = false;
    let sql = "SELECT DISTINCT client_id FROM larder_authors JOIN larder_events USING (author)";
    connection.each_row(sql, &[], |row| {
        is_own |= matches!(row.value(0), ValueRef::Text(id) if request.client.was(&id.into()));
        Ok::<_, SqliteError>(true)
    })?;
    Ok(is_own)
}

/// Tables of an earlier load: what they do not know is warned of again, or refused.
pub(super) fn check_unknown(request: &OpenRequest, connection: &mut Connection) -> Result<(), Stop> {
    if !matches!(request.options.unknown_events, UnknownEvents::Warn | UnknownEvents::Fail) {
        return Ok(());
    }
    let sql = "SELECT name, place, events FROM larder_unknown ORDER BY place";
    let mut first = None;
    let listed = connection.each_row(sql, &[], |row| {
        if let (ValueRef::Text(name), ValueRef::Integer(place), ValueRef::Integer(events)) =
            (row.value(0), row.value(1), row.value(2))
        {
            warn_unknown(request, name, events.unsigned_abs());
            first.get_or_insert_with(|| (name.to_owned(), place));
        }
        Ok::<_, SqliteError>(true)
    });
    listed.map_err(|error| tables_error(request, error))?;
    match first {
        Some((name, place)) if request.options.unknown_events == UnknownEvents::Fail => {
            Err(Stop::Load(unknown_event(request, &name, place)))
        }
        _ => Ok(()),
    }
}

/// Shows the events that are noted as unknown to the app's callback, at each load. What is written is committed by then: user code
/// runs in no transaction.
pub(super) fn call_back(request: &OpenRequest, connection: &mut Connection, key: &ChainKey) -> Result<(), LoadError> {
    let UnknownEvents::Callback(callback) = request.options.unknown_events else { return Ok(()) };
    let (mut names, mut first) = (HashSet::new(), i64::MAX);
    let listed = connection.each_row("SELECT name, place FROM larder_unknown", &[], |row| {
        if let (ValueRef::Text(name), ValueRef::Integer(place)) = (row.value(0), row.value(1)) {
            names.insert(name.to_owned());
            first = first.min(place);
        }
        Ok::<_, SqliteError>(true)
    });
    listed.map_err(|error| sqlite_error(request, error))?;
    if names.is_empty() {
        return Ok(());
    }
    let failed = |error| log_error(request, error);
    let mut cursor = LogCursor::after(connection, key.clone(), first - 1).map_err(failed)?;
    while cursor.read(connection, 256).map_err(failed)? > 0 {
        cursor.rows().filter(|row| names.contains(row.name)).for_each(|row| callback(&row.to_stored()));
    }
    Ok(())
}

pub(super) fn replay_error(request: &OpenRequest, error: ReplayError<LoadError>) -> Stop {
    match error {
        ReplayError::Log(error) => Stop::Load(log_error(request, error)),
        ReplayError::Tables(error) => tables_error(request, error),
        ReplayError::Observer(error) => Stop::Load(error),
    }
}

/// Damage that shows while tables are written is theirs: the log is read with checks of its own.
pub(super) fn tables_error(request: &OpenRequest, error: SqliteError) -> Stop {
    match error.kind {
        SqliteErrorKind::Corrupt => Stop::TablesDamaged,
        _ => Stop::Load(sqlite_error(request, error)),
    }
}

/// Drops all that is not larder's own, who ever made it.
fn drop_tables(connection: &mut Connection) -> Result<(), SqliteError> {
    let mut objects = Vec::new();
    let sql = "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'larder\\_%' ESCAPE '\\' \
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    connection.each_row(sql, &[], |row| {
        if let (ValueRef::Text(kind), ValueRef::Text(name)) = (row.value(0), row.value(1)) {
            objects.push(format!("DROP {kind} IF EXISTS {}", quote(name)));
        }
        Ok::<_, SqliteError>(true)
    })?;
    // Without checks of references, so that the order is free and nothing cascades.
    connection.set_foreign_keys(false)?;
    let dropped = objects.iter().try_for_each(|drop| connection.batch(drop));
    connection.set_foreign_keys(!seeded::bug("references-off-after-rebuild"))?;
    dropped?;
    change_records::forget(connection)?;
    connection.batch("DELETE FROM larder_failed; DELETE FROM larder_unknown")
}

fn unknown_event(request: &OpenRequest, name: &str, place: i64) -> LoadError {
    let number = number_at(place, 0).unwrap_or(EventNumber::ZERO);
    LoadError::UnknownEvent { store: request.name.clone(), event: name.to_owned(), number }
}

fn warn_unknown(request: &OpenRequest, event: &str, events: u64) {
    if request.options.unknown_events == UnknownEvents::Warn {
        let (store, id) = (request.name.definition(), request.name.id().as_str());
        tracing::warn!(store, id, event, events, "the log holds events that this app does not know");
    }
}
