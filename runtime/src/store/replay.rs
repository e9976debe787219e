//! Applying stored events to tables: for a rebuild, for tables in a new file, for `verify`.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    clock::Panicked,
    error::MaterializeError,
    event::{Event, EventContext, EventDecodeError},
    materialize::{MaterializeResult, RawTables, Tables},
    schema::{Materializer, SchemaModel, StoreSchema},
    seeded,
    storage::{
        eventlog::{LogCursor, LogError, LogRow, place_of},
        sqlite::{Connection, SqliteError},
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
    // An upcaster, or a `Deserialize` of the app, may panic as a materializer may.
    match catch_unwind(AssertUnwindSafe(|| <S as StoreSchema>::Event::decode(name, args))) {
        Ok(Ok(Some(event))) => {
            materialize::<S>(connection, |tables| S::materialize(&event, about, tables)).map(|()| Applied::Yes)
        }
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
    let mut tables = Tables::new(RawTables::new(connection));
    // What a panicking materializer wrote is rolled back, so nothing half-done is seen afterwards.
    let result = catch_unwind(AssertUnwindSafe(|| run(&mut tables)));
    match (tables.into_raw().into_failure(), result) {
        (Some(error), _) => Err(Unapplied::Sqlite(error)),
        (None, Ok(result)) => result.map_err(Unapplied::Refused),
        (None, Err(panic)) => Err(Unapplied::Panicked(Panicked::new(panic.as_ref()).into_message())),
    }
}

/// Where the log is read, and where the tables are: one connection, or two.
pub(super) trait Connections {
    fn log(&mut self) -> &mut Connection;
    fn tables(&mut self) -> &mut Connection;
}

/// Log and tables in one file.
impl Connections for &mut Connection {
    fn log(&mut self) -> &mut Connection {
        self
    }

    fn tables(&mut self) -> &mut Connection {
        self
    }
}

/// The log of one file, the tables of another.
pub(super) struct Apart<'a> {
    pub(super) log: &'a mut Connection,
    pub(super) tables: &'a mut Connection,
}

impl Connections for Apart<'_> {
    fn log(&mut self) -> &mut Connection {
        self.log
    }

    fn tables(&mut self) -> &mut Connection {
        self.tables
    }
}

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
/// rolled back to their savepoints and listed in `larder_failed`. `observe` is called before each batch.
pub(super) fn replay<E>(
    model: &SchemaModel,
    mut connections: impl Connections,
    mut cursor: LogCursor,
    mut observe: impl FnMut(&Replayed, &LogCursor, &mut Connection) -> Result<(), E>,
) -> Result<Replayed, ReplayError<E>> {
    let mut done = Replayed::default();
    loop {
        let read = cursor.read(connections.log(), BATCH_EVENTS).map_err(ReplayError::Log)?;
        observe(&done, &cursor, connections.tables()).map_err(ReplayError::Observer)?;
        if read == 0 {
            return Ok(done);
        }
        let tables = connections.tables();
        done = match apply_batch(model, tables, &cursor, &done).map_err(ReplayError::Tables)? {
            Some(done) => done,
            None => apply_each(model, tables, &cursor, done).map_err(ReplayError::Tables)?,
        };
    }
}

/// All events of a batch in one savepoint; `None`, and nothing happened, when one of them fails.
fn apply_batch(
    model: &SchemaModel,
    tables: &mut Connection,
    cursor: &LogCursor,
    before: &Replayed,
) -> Result<Option<Replayed>, SqliteError> {
    let mut done = before.clone();
    tables.execute("SAVEPOINT larder_batch", &[])?;
    for row in cursor.rows() {
        match model.apply(row.name, row.args, &row.context(), tables) {
            Ok(applied) => done.add(&row, applied),
            Err(Unapplied::Sqlite(error)) => return Err(error),
            Err(_) => {
                tables.execute("ROLLBACK TO larder_batch", &[])?;
                tables.execute("RELEASE larder_batch", &[])?;
                return Ok(None);
            }
        }
    }
    tables.execute("RELEASE larder_batch", &[])?;
    Ok(Some(done))
}

/// Every event of a batch in a savepoint of its own.
fn apply_each(
    model: &SchemaModel,
    tables: &mut Connection,
    cursor: &LogCursor,
    mut done: Replayed,
) -> Result<Replayed, SqliteError> {
    for row in cursor.rows() {
        tables.execute("SAVEPOINT larder_event", &[])?;
        let reason = match model.apply(row.name, row.args, &row.context(), tables) {
            Ok(applied) => {
                done.add(&row, applied);
                None
            }
            Err(Unapplied::Sqlite(error)) => return Err(error),
            Err(Unapplied::Decode(error)) => Some(error.to_string()),
            Err(Unapplied::Refused(error)) => Some(error.to_string()),
            Err(Unapplied::Panicked(message)) => Some(format!("the app's code panicked: {message}")),
        };
        if let Some(reason) = reason {
            tables.execute("ROLLBACK TO larder_event", &[])?;
            done.failed += 1;
            let sql = "INSERT INTO larder_failed (place, reason) VALUES (?, ?)";
            tables.execute(sql, &[ValueRef::Integer(place_of(row.number)), ValueRef::Text(&reason)])?;
        }
        tables.execute("RELEASE larder_event", &[])?;
    }
    Ok(done)
}
