//! A rebase: pending events make room for foreign ones, and come back behind them.

use super::{Ended, Engine, LEAST_EVENTS, Stop, Upstream, Writer, work::Work};
use crate::{
    event::{EventNumber, StoredEvent},
    schema::SchemaModel,
    seeded,
    storage::{
        change_records::{Undoer, Undone, last_places},
        eventlog::{Aside, LogCursor, LogHead, LogPage, place_of},
        quarantine,
        sqlite::Connection,
    },
    store::{
        follow::Quarantine,
        inside::{self, Inside},
        replay::{Log, ReplayError, Replayed, replay},
    },
    sync::state::{Rebase, Redone},
    table::{TableSchema, quote},
    value::ValueRef,
};

/// How the tables come to be what they were before the undone events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// By the change records, newest first.
    Records,
    /// By materializing all confirmed events anew.
    Rebuild,
}

/// Beyond so many events to undo, a rebuild is less work when fewer stay than are undone.
const MANY: u64 = 1_000;

/// Events that are undone, or brought back, between two reads.
const BATCH: usize = 128;

/// Does all of it in a transaction of its own.
pub(super) fn run(
    engine: &Engine,
    writer: &mut Writer,
    rebase: &Rebase<'_>,
    (means, upstream): (Means, Option<Upstream<'_>>),
) -> Result<Ended, Stop> {
    let first = rebase.undone_from();
    writer.begin()?;
    let (before, mut aside) = check_undone(writer, first)?;
    let undone = writer.tip.head.ordinal.saturating_sub(before.ordinal);
    if means == Means::Records {
        if undone > MANY && before.ordinal < undone {
            return Err(Stop::NeedsRebuild);
        }
        writer.connection.set_foreign_keys(false)?;
        let undone = undo(engine, writer, place_of(first));
        writer.connection.set_foreign_keys(true)?;
        undone?;
    }
    put_aside(writer, &aside, first)?;
    if means == Means::Rebuild {
        rebuild(engine, writer, &before)?;
    }
    let mut work = Work::new(engine, writer, upstream);
    work.recount = means == Means::Rebuild;
    work.tip.head = before;
    work.done.undone_from = Some(first);
    work.merged.undone_from = Some(first);
    // As many as come back at least: then each event that comes back is paid for by one that is new.
    work.append(rebase.foreign, LEAST_EVENTS.max(usize::try_from(undone).unwrap_or(usize::MAX)))?;
    bring_back(&mut work, rebase, &mut aside)?;
    work.commit(rebase.own)
}

/// Reads and checks every row that is to be undone, and the head of the log before them.
pub(super) fn check_undone(writer: &mut Writer, first: EventNumber) -> Result<(LogHead, Aside), Stop> {
    let cursor = LogCursor::after(&mut writer.connection, writer.key.clone(), place_of(first) - 1)?;
    let before = cursor.head();
    Ok((before, Aside::read(&mut writer.connection, cursor)?))
}

fn undo(engine: &Engine, writer: &mut Writer, first: i64) -> Result<(), Stop> {
    let undoer = Undoer::new(engine.shared.model.tables());
    let mut end = i64::MAX;
    loop {
        let places = last_places(&mut writer.connection, (first, end), BATCH)?;
        for place in &places {
            if writer.undo(&undoer, *place)? == Undone::No {
                return Err(Stop::NeedsRebuild);
            }
            // Who listens hears that these rows are as before.
            if !writer.is_heard() {
                writer.connection.changes_truncate(0);
            }
        }
        match places.last() {
            Some(last) => end = *last,
            None => return Ok(()),
        }
    }
}

/// Takes the events from `first` on out of the log, with all that is noted of them.
pub(super) fn put_aside(writer: &mut Writer, aside: &Aside, first: EventNumber) -> Result<(), Stop> {
    writer.forget_changes_from(first)?;
    let connection = &mut writer.connection;
    let sql = "DELETE FROM larder_failed WHERE place >= ?";
    connection.execute(sql, &[ValueRef::Integer(place_of(first))])?;
    Ok(aside.put(connection, first)?)
}

/// Deletes all rows of the schema's tables, and what is noted of the events that made them.
pub(super) fn empty_tables(model: &SchemaModel, connection: &mut Connection) -> Result<(), Stop> {
    connection.set_foreign_keys(false)?;
    let mut empty = |table: &&'static TableSchema| connection.batch(&format!("DELETE FROM {}", quote(table.name)));
    let emptied = model.tables().iter().try_for_each(&mut empty);
    connection.set_foreign_keys(true)?;
    emptied?;
    Ok(connection.batch("DELETE FROM larder_failed; DELETE FROM larder_unknown")?)
}

/// Empties the tables and materializes all that is in the log, which is confirmed.
fn rebuild(engine: &Engine, writer: &mut Writer, head: &LogHead) -> Result<(), Stop> {
    let model = &engine.shared.model;
    empty_tables(model, &mut writer.connection)?;
    let _inside = inside::enter(engine.address(), Inside::Materializer);
    let cursor = LogCursor::at(writer.key.clone(), LogHead::EMPTY);
    let gate = |_: &Replayed, _: &LogPage, _: &mut Connection| engine.gate.check_write();
    let replayed = replay(model, &mut writer.connection, Log::Same, cursor, None, gate);
    let done = replayed.map_err(|error| match error {
        ReplayError::Log(error) => Stop::Log(error),
        ReplayError::Tables(error) => Stop::Sqlite(error),
        ReplayError::Observer(error) => Stop::Gone(error),
    })?;
    if done.events() != head.ordinal {
        return Err(Stop::NeedsRebuild);
    }
    for (name, (place, events)) in &done.unknown {
        let sql = "INSERT INTO larder_unknown (name, place, events) VALUES (?, ?, ?)";
        let events = ValueRef::Integer(i64::try_from(*events).unwrap_or(i64::MAX));
        writer.connection.execute(sql, &[ValueRef::Text(name), ValueRef::Integer(*place), events])?;
    }
    // For those that come back.
    writer.keep_from_here(model.tables()).map_err(Stop::Sqlite)
}

fn bring_back(work: &mut Work<'_>, rebase: &Rebase<'_>, aside: &mut Aside) -> Result<(), Stop> {
    let mut redo = rebase.redo(work.merged.taken);
    loop {
        let events = aside.take(&mut work.writer.connection, BATCH)?;
        if events.is_empty() {
            return work.leave_quarantine(|| redo.into_nameless());
        }
        work.batch(&events, |work, event| match redo.after(work.tip.head.number, event) {
            Redone::Arrived => {
                // Its receipt is as good as confirmed, and says so as soon as the foreign events are.
                work.done.moves.arrived(event.number, rebase.undone_from());
                Ok(())
            }
            Redone::As(number) => bring_back_one(work, event, Some(number)),
            Redone::Nowhere => bring_back_one(work, event, None),
        })?;
    }
}

/// Brings an event back under a number, or takes it out of the log if that cannot be done.
pub(super) fn bring_back_one(
    work: &mut Work<'_>,
    event: &StoredEvent,
    number: Option<EventNumber>,
) -> Result<(), Stop> {
    let Some(number) = number else { return give_up(work, event, "there is no number left for it") };
    match work.bring_back(event, number)? {
        None => work.done.moves.came_back(event.number, number),
        Some(reason) => give_up(work, event, &reason)?,
    }
    Ok(())
}

/// Takes a pending event out of the log.
fn give_up(work: &mut Work<'_>, event: &StoredEvent, reason: &str) -> Result<(), Stop> {
    if !seeded::bug("quarantined-event-dropped") {
        quarantine::put(&mut work.writer.connection, event, reason)?;
    }
    work.merged.quarantined += 1;
    let store = work.engine.name();
    let number = event.number;
    tracing::warn!(store = store.definition(), id = store.id().as_str(), %number, reason, "a pending event no longer materializes, and is quarantined");
    if work.engine.following.follows(number) {
        work.done.moves.quarantined(Quarantine { number, reason: reason.to_owned() });
    }
    Ok(())
}
