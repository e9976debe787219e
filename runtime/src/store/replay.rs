//! Applying stored events to tables: for a rebuild, for tables in a new file, for `verify`.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{self, SyncSender},
};

use crate::{
    clock::{self, Panicked},
    document::{self, CHANGED},
    error::MaterializeError,
    event::{Event, EventContext, EventDecodeError},
    materialize::{MaterializeResult, RawTables, Tables},
    schema::{Materializer, SchemaModel, StoreSchema},
    seeded,
    storage::{
        change_records::Keeper,
        eventlog::{LogCursor, LogError, LogPage, LogRow, place_of},
        sqlite::{Connection, SqliteError, SqliteErrorKind},
    },
    value::ValueRef,
};

/// Events of one batch: they share a savepoint, and cancellation and progress come between two batches.
const BATCH_EVENTS: usize = 256;

/// Why an event was not applied.
#[derive(Debug)]
pub(crate) enum Unapplied {
    /// Its text does not decode.
    Decode(EventDecodeError),
    /// The materializer refused it.
    Refused(MaterializeError),
    /// The materializer panicked, or what decodes the event.
    Panicked(String),
    /// Storage failed: nothing to do with the event.
    Sqlite(SqliteError),
}

/// What became of a stored event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It changed the tables, or was free to.
    Yes,
    /// This app does not know it.
    Unknown,
}

/// Applies one stored event: name, arguments, context.
pub(crate) type ApplyStored = fn(&str, Option<&str>, &EventContext, &mut Connection) -> Result<Applied, Unapplied>;

/// Applies one stored event of a source: its id, name and arguments, context.
pub(crate) type ProjectStored =
    fn(&str, (&str, Option<&str>), &EventContext, &mut Connection) -> Result<Applied, Unapplied>;

/// [`ProjectStored`] of a schema.
pub(crate) fn project_stored<S: Materializer>(
    source: &str,
    (name, args): (&str, Option<&str>),
    about: &EventContext,
    connection: &mut Connection,
) -> Result<Applied, Unapplied> {
    apply::<S>(name, args, about, RawTables::of_source(connection, source))
}

/// [`ApplyStored`] of a schema.
pub(crate) fn apply_stored<S: Materializer>(
    name: &str,
    args: Option<&str>,
    about: &EventContext,
    connection: &mut Connection,
) -> Result<Applied, Unapplied> {
    let old = || <<S as StoreSchema>::Event as Event>::EVENTS.iter().any(|event| event.from.contains(&name));
    if seeded::bug("upcaster-skipped") && old() {
        return Ok(Applied::Unknown);
    }
    // A document is this client's alone. What says the same and was ordered by a backend is somebody else's, and nothing that is known.
    if name == CHANGED.name && about.number().is_client_only() {
        return document::apply(&S::__documents(), args, connection);
    }
    apply::<S>(name, args, about, RawTables::new(connection))
}

fn apply<S: Materializer>(
    name: &str,
    args: Option<&str>,
    about: &EventContext,
    tables: RawTables<'_>,
) -> Result<Applied, Unapplied> {
    // An upcaster, or a `Deserialize` of the app, may panic as a materializer may.
    match catch_unwind(AssertUnwindSafe(|| <S as StoreSchema>::Event::decode(name, args))) {
        Ok(Ok(Some(event))) => run::<S>(tables, |tables| S::materialize(&event, about, tables)).map(|()| Applied::Yes),
        Ok(Ok(None)) => Ok(Applied::Unknown),
        Ok(Err(error)) => Err(Unapplied::Decode(error)),
        Err(panic) => Err(Unapplied::Panicked(Panicked::new(panic.as_ref()).into_message())),
    }
}

/// Runs a materializer. A failure of storage counts, whatever the materializer made of it.
pub(crate) fn materialize<S>(
    connection: &mut Connection,
    run: impl FnOnce(&mut Tables<'_, S>) -> MaterializeResult,
) -> Result<(), Unapplied> {
    self::run::<S>(RawTables::new(connection), run)
}

fn run<S>(raw: RawTables<'_>, run: impl FnOnce(&mut Tables<'_, S>) -> MaterializeResult) -> Result<(), Unapplied> {
    let mut tables = Tables::new(raw);
    // What a panicking materializer wrote is rolled back, so nothing half-done is seen afterwards.
    let result = catch_unwind(AssertUnwindSafe(|| run(&mut tables)));
    match (tables.into_raw().into_failure(), result) {
        (Some(error), _) => Err(Unapplied::Sqlite(error)),
        (None, Ok(result)) => result.map_err(Unapplied::Refused),
        (None, Err(panic)) => Err(Unapplied::Panicked(Panicked::new(panic.as_ref()).into_message())),
    }
}

/// Where the log is read.
pub(super) enum Log<'a> {
    /// On the connection that the tables are written on.
    Same,
    /// On another one: then it is read and checked on another thread, some pages ahead.
    Apart(&'a mut Connection),
}

/// Pages of the log that are read before they are needed.
const PAGES_AHEAD: usize = 4;

/// What a replay did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Replayed {
    pub(super) applied: u64,
    pub(super) failed: u64,
    /// By wire name: the first place, and how many.
    pub(super) unknown: BTreeMap<String, (i64, u64)>,
}

impl Replayed {
    pub(super) fn unknown_events(&self) -> u64 {
        self.unknown.values().map(|(_, events)| events).sum()
    }

    pub(super) fn events(&self) -> u64 {
        self.applied + self.failed + self.unknown_events()
    }

    fn add(&mut self, row: &LogRow<'_>, applied: Applied) {
        match applied {
            Applied::Yes => self.applied += 1,
            Applied::Unknown => match self.unknown.get_mut(row.name) {
                Some((_, events)) => *events += 1,
                None => {
                    self.unknown.insert(row.name.to_owned(), (place_of(row.number), 1));
                }
            },
        }
    }
}

/// Why a replay stopped.
pub(super) enum ReplayError<E> {
    /// The log cannot be read.
    Log(LogError),
    /// The tables cannot be written.
    Tables(SqliteError),
    /// The observer ended it.
    Observer(E),
}

/// Reads the log from `cursor` on and applies every event to the tables, inside a transaction on them. Events that fail are
/// rolled back to their savepoints and listed in `larder_failed`. `observe` is called before each page, and at the end.
pub(super) fn replay<E>(
    model: &SchemaModel,
    tables: &mut Connection,
    log: Log<'_>,
    mut cursor: LogCursor,
    keeper: Option<Keeper>,
    observe: impl FnMut(&Replayed, &LogPage, &mut Connection) -> Result<(), E>,
) -> Result<Replayed, ReplayError<E>> {
    let log = match log {
        Log::Same => {
            let next = |tables: &mut Connection| cursor.read_page(tables, BATCH_EVENTS);
            return apply_pages(&mut Target { model, tables, keeper }, next, observe);
        }
        Log::Apart(log) => log,
    };
    let (sender, pages) = mpsc::sync_channel(PAGES_AHEAD);
    let next = move |_: &mut Connection| pages.recv().unwrap_or_else(|_| Err(not_read()));
    clock::beside(
        move || read_ahead(log, cursor, &sender),
        // Takes the pages along: once it ends, for whatever reason, nobody reads on.
        move || apply_pages(&mut Target { model, tables, keeper }, next, observe),
    )
}

/// Reads pages up to the end of the log, or until nobody takes them.
fn read_ahead(log: &mut Connection, mut cursor: LogCursor, pages: &SyncSender<Result<LogPage, LogError>>) {
    loop {
        let page = cursor.read_page(log, BATCH_EVENTS);
        let is_last = page.as_ref().map_or(true, LogPage::is_empty);
        if pages.send(page).is_err() || is_last {
            return;
        }
    }
}

fn not_read() -> LogError {
    SqliteError::new(SqliteErrorKind::Io, "there is no thread to read the eventlog on; try again when fewer run").into()
}

/// What events are applied to.
struct Target<'a> {
    model: &'a SchemaModel,
    tables: &'a mut Connection,
    /// Keeps the change records of those that are not confirmed.
    keeper: Option<Keeper>,
}

impl Target<'_> {
    /// Applies one event, inside a savepoint.
    fn apply(&mut self, row: &LogRow<'_>) -> Result<Applied, Unapplied> {
        let mark = self.tables.changes_mark();
        let applied = self.model.apply(row.name, row.args, &row.context(), self.tables)?;
        self.keep(row, mark).map_err(Unapplied::Sqlite)?;
        Ok(applied)
    }

    /// Keeps what an event has changed since `mark`, if it is not confirmed.
    fn keep(&mut self, row: &LogRow<'_>, mark: usize) -> Result<(), SqliteError> {
        if let Some(keeper) = &mut self.keeper {
            keeper.write(self.tables, place_of(row.number), mark)?;
            self.tables.changes_truncate(mark);
        }
        Ok(())
    }

    /// Records what changes, from the first page on that has an event which is not confirmed.
    fn follow(&mut self, page: &LogPage) -> Result<(), SqliteError> {
        let wanted = |keeper: &Keeper| page.rows().last().is_some_and(|row| keeper.wants(place_of(row.number)));
        if self.keeper.as_ref().is_some_and(wanted) && !self.tables.is_capturing() {
            self.tables.start_capture(self.model.tables())?;
        }
        Ok(())
    }
}

fn apply_pages<E>(
    target: &mut Target<'_>,
    mut next: impl FnMut(&mut Connection) -> Result<LogPage, LogError>,
    mut observe: impl FnMut(&Replayed, &LogPage, &mut Connection) -> Result<(), E>,
) -> Result<Replayed, ReplayError<E>> {
    let mut done = Replayed::default();
    loop {
        let page = next(target.tables).map_err(ReplayError::Log)?;
        observe(&done, &page, target.tables).map_err(ReplayError::Observer)?;
        if page.is_empty() {
            target.tables.stop_capture().map_err(ReplayError::Tables)?;
            return Ok(done);
        }
        target.follow(&page).map_err(ReplayError::Tables)?;
        done = match apply_batch(target, &page, &done).map_err(ReplayError::Tables)? {
            Some(done) => done,
            None => apply_each(target, &page, done).map_err(ReplayError::Tables)?,
        };
    }
}

/// All events of a batch in one savepoint; `None`, and nothing happened, when one of them fails.
fn apply_batch(target: &mut Target<'_>, page: &LogPage, before: &Replayed) -> Result<Option<Replayed>, SqliteError> {
    let mut done = before.clone();
    target.tables.execute("SAVEPOINT larder_batch", &[])?;
    for row in page.rows() {
        match target.apply(&row) {
            Ok(applied) => done.add(&row, applied),
            Err(Unapplied::Sqlite(error)) => return Err(error),
            Err(_) => {
                roll_back(target.tables, "larder_batch")?;
                return Ok(None);
            }
        }
    }
    target.tables.execute("RELEASE larder_batch", &[])?;
    Ok(Some(done))
}

/// Takes back all since a savepoint, and ends it.
fn roll_back(tables: &mut Connection, savepoint: &str) -> Result<(), SqliteError> {
    tables.execute(&format!("ROLLBACK TO {savepoint}"), &[])?;
    // What follows keeps nothing of what was recorded before it.
    tables.changes_truncate(0);
    tables.execute(&format!("RELEASE {savepoint}"), &[]).map(drop)
}

/// Every event of a batch in a savepoint of its own.
fn apply_each(target: &mut Target<'_>, page: &LogPage, mut done: Replayed) -> Result<Replayed, SqliteError> {
    for row in page.rows() {
        target.tables.execute("SAVEPOINT larder_event", &[])?;
        let reason = match target.apply(&row) {
            Ok(applied) => {
                done.add(&row, applied);
                None
            }
            Err(Unapplied::Sqlite(error)) => return Err(error),
            Err(Unapplied::Decode(error)) => Some(error.to_string()),
            Err(Unapplied::Refused(error)) => Some(error.to_string()),
            Err(Unapplied::Panicked(message)) => Some(format!("the app's code panicked: {message}")),
        };
        let Some(reason) = reason else {
            target.tables.execute("RELEASE larder_event", &[])?;
            continue;
        };
        roll_back(target.tables, "larder_event")?;
        // It changed nothing, which can be undone row by row.
        target.keep(&row, 0)?;
        done.failed += 1;
        let sql = "INSERT INTO larder_failed (place, reason) VALUES (?, ?)";
        target.tables.execute(sql, &[ValueRef::Integer(place_of(row.number)), ValueRef::Text(&reason)])?;
    }
    Ok(done)
}
