//! The store of a projection: events of its sources become rows, and what was read of each source is in the same transaction.
//!
//! The log of such a store holds one event for each transaction, so that its head moves with its tables; what the tables are made of is in the
//! logs of the sources. A rebuild leaves the tables and the positions empty, and all sources are read again.

use std::sync::Arc;

use super::{
    Applied, Engine, Unapplied,
    commit::{CommitWork, EncodedEvent, run_work},
    read::Span,
};
use crate::{
    error::{CommitErrorKind, QueryError, StoreError},
    event::{EventContext, EventInfo, StoredEvent},
    id::StoreId,
    schema::SchemaModel,
    seeded,
    storage::{
        eventlog::{ChainKey, LogCursor, LogError, LogHead, number_at, place_of, sixteen},
        sqlite::{Connection, SqliteError},
    },
    table::quote,
    value::{Value, ValueRef},
};

/// What a projection has read of each source. Made with the tables, and emptied with them.
pub(crate) const SOURCES_DDL: &str = "
CREATE TABLE IF NOT EXISTS larder_sources (
    source TEXT PRIMARY KEY,
    stamp TEXT NOT NULL,
    place INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    failed INTEGER NOT NULL,
    reason TEXT
) STRICT, WITHOUT ROWID;
DELETE FROM larder_sources;
";

/// What stands in the log for a transaction.
static READ: EventInfo =
    EventInfo { name: "larder.SourcesRead", variant: "", payload: "", client_only: false, deprecated: None, from: &[] };

/// How far a source was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The last event that was read.
    pub(crate) head: LogHead,
    /// The source's file, if it was closed and all of it was read; empty otherwise.
    pub(crate) stamp: String,
    /// Events that did not materialize.
    pub(crate) failed: u64,
    /// Why the first of them did not.
    pub(crate) reason: Option<String>,
}

/// What was read of a source.
#[derive(Debug)]
pub(crate) struct SourceRead {
    /// The source's rows are made anew: what was read of it before is not in its log any more.
    pub(crate) reset: bool,
    pub(crate) events: Vec<StoredEvent>,
    /// The last event of these, or that of before.
    pub(crate) head: LogHead,
    /// There are others.
    pub(crate) more: bool,
}

/// What a projection takes over of one source.
#[derive(Debug)]
pub(crate) struct FromSource {
    pub(crate) id: StoreId,
    /// `None` when the source is gone.
    pub(crate) read: Option<SourceRead>,
    /// As of [`Position::stamp`].
    pub(crate) stamp: String,
}

/// Reads at most `limit` events of a source's log, after what was read of it before.
pub(crate) fn read_source(
    connection: &mut Connection,
    key: ChainKey,
    before: Option<&LogHead>,
    limit: usize,
) -> Result<SourceRead, LogError> {
    let known = match before {
        Some(head) => is_in(connection, head)?.then_some(*head),
        None => None,
    };
    let reset = known.is_none() && before.is_some_and(|head| head.ordinal > 0);
    let mut cursor = LogCursor::at(key, known.unwrap_or(LogHead::EMPTY));
    let mut events = Vec::new();
    while events.len() < limit {
        if cursor.read(connection, (limit - events.len()).min(256))? == 0 {
            return Ok(SourceRead { reset, events, head: cursor.head(), more: false });
        }
        events.extend(cursor.rows().map(|row| row.to_stored()));
    }
    Ok(SourceRead { reset, events, head: cursor.head(), more: true })
}

/// Whether the log has this very row.
fn is_in(connection: &mut Connection, head: &LogHead) -> Result<bool, LogError> {
    if head.ordinal == 0 {
        return Ok(true);
    }
    let sql = "SELECT generation, ordinal, checksum FROM larder_events WHERE place = ?";
    let found = connection.row(sql, &[ValueRef::Integer(place_of(head.number))], |row| {
        let same = row.value(0) == ValueRef::Integer(i64::from(head.number.generation()))
            && row.value(1) == number(head.ordinal)
            && sixteen(row.value(2)) == Some(head.checksum);
        Ok::<_, LogError>(same || seeded::bug("rewritten-source-not-noticed"))
    });
    Ok(found?.unwrap_or(false))
}

fn number(number: u64) -> ValueRef<'static> {
    ValueRef::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// How far each source was read.
pub(crate) fn stored_positions(engine: &Engine) -> Result<Vec<(StoreId, Position)>, QueryError> {
    let mut positions = Vec::new();
    let sql = "SELECT source, stamp, place, generation, ordinal, checksum, failed, reason FROM larder_sources ORDER BY source";
    engine.read(Span::Statement, &mut |connection| {
        positions.clear();
        let listed = connection.each_row(sql, &[], |row| {
            positions.extend(position([0, 1, 2, 3, 4, 5, 6, 7].map(|column| row.value(column))));
            Ok::<_, SqliteError>(true)
        });
        listed.map_err(|error| engine.refused(sql, error))
    })?;
    Ok(positions)
}

fn position(row: [ValueRef<'_>; 8]) -> Option<(StoreId, Position)> {
    let [
        ValueRef::Text(source),
        ValueRef::Text(stamp),
        ValueRef::Integer(place),
        ValueRef::Integer(generation),
        ValueRef::Integer(ordinal),
        checksum,
        ValueRef::Integer(failed),
        reason,
    ] = row
    else {
        return None;
    };
    let head = if ordinal == 0 {
        LogHead::EMPTY
    } else {
        let number = number_at(place, u32::try_from(generation).ok()?)?;
        LogHead { number, ordinal: u64::try_from(ordinal).ok()?, checksum: sixteen(checksum)? }
    };
    let reason = match reason.to_owned() {
        Value::Text(reason) => Some(reason),
        _ => None,
    };
    Some((source.parse().ok()?, Position { head, stamp: stamp.to_owned(), failed: failed.unsigned_abs(), reason }))
}

/// What a projection takes over in one transaction.
pub(crate) struct Batch {
    model: Arc<SchemaModel>,
    events: [EncodedEvent; 1],
    sources: Vec<FromSource>,
}

impl Engine {
    /// The log of this store, a projection's source, after what was read of it before.
    pub(crate) fn read_as_source(&self, before: Option<&LogHead>, limit: usize) -> Result<SourceRead, QueryError> {
        let mut found = None;
        self.read(Span::Snapshot, &mut |connection| {
            let read = read_source(connection, self.shared.key.clone(), before, limit);
            found = Some(read.map_err(|error| self.log_refused(error))?);
            Ok(())
        })?;
        found.ok_or_else(|| StoreError::Closed { store: self.store() }.into())
    }

    /// Takes over what was read, in one transaction. Blocks.
    ///
    /// # Errors
    /// When nothing of it was taken over.
    pub(crate) fn project(self: &Arc<Self>, sources: Vec<FromSource>) -> Result<(), Box<CommitErrorKind>> {
        let events = [EncodedEvent { info: &READ, args: None }];
        let batch = Batch { model: Arc::clone(&self.shared.model), events, sources };
        run_work(self, Box::new(batch)).map(drop)
    }
}

impl CommitWork for Batch {
    fn events(&self) -> &[EncodedEvent] {
        &self.events
    }

    fn materialize(&self, _: usize, _: &EventContext, connection: &mut Connection) -> Result<(), Unapplied> {
        self.sources.iter().try_for_each(|from| self.take_over(from, connection))
    }
}

impl Batch {
    fn take_over(&self, from: &FromSource, connection: &mut Connection) -> Result<(), Unapplied> {
        let source = from.id.as_str();
        if from.read.as_ref().is_none_or(|read| read.reset) {
            self.forget(source, connection).map_err(Unapplied::Sqlite)?;
        }
        let Some(read) = &from.read else { return Ok(()) };
        let (mut failed, mut reason) = (0, None);
        for event in &read.events {
            if let Some(why) = self.apply(source, event, connection)? {
                failed += 1;
                reason.get_or_insert(format!("event {}: {why}", event.number));
            }
        }
        let position = Position { head: read.head, stamp: from.stamp.clone(), failed, reason };
        put_position(source, &position, connection).map_err(Unapplied::Sqlite)
    }

    /// Deletes the rows of a source, those that reference others first, and how far it was read.
    fn forget(&self, source: &str, connection: &mut Connection) -> Result<(), SqliteError> {
        if seeded::bug("rows-of-gone-source-kept") {
            return Ok(());
        }
        self.model.tables().iter().rev().try_for_each(|table| {
            let sql = format!("DELETE FROM {} WHERE {} = ?", quote(table.name), quote(table.columns[0].name));
            connection.execute(&sql, &[ValueRef::Text(source)]).map(drop)
        })?;
        connection.execute("DELETE FROM larder_sources WHERE source = ?", &[ValueRef::Text(source)]).map(drop)
    }

    /// Applies an event; why not, if it does not materialize. Then it has changed nothing.
    fn apply(
        &self,
        source: &str,
        event: &StoredEvent,
        connection: &mut Connection,
    ) -> Result<Option<String>, Unapplied> {
        let sqlite = |done: Result<u64, SqliteError>| done.map(drop).map_err(Unapplied::Sqlite);
        let mark = connection.changes_mark();
        sqlite(connection.execute("SAVEPOINT larder_event", &[]))?;
        let about = EventContext::new(event.number, event.client_id.clone(), event.session_id.clone());
        let applied = self.model.project(source, (&event.name, event.args.as_deref()), &about, connection);
        let reason = match applied {
            Ok(Applied::Yes | Applied::Unknown) => None,
            Err(Unapplied::Sqlite(error)) => return Err(Unapplied::Sqlite(error)),
            Err(Unapplied::Decode(error)) => Some(error.to_string()),
            Err(Unapplied::Refused(error)) => Some(error.to_string()),
            Err(Unapplied::Panicked(message)) => Some(format!("the app's code panicked: {message}")),
        };
        if reason.is_some() {
            sqlite(connection.execute("ROLLBACK TO larder_event", &[]))?;
            connection.changes_truncate(mark);
        }
        sqlite(connection.execute("RELEASE larder_event", &[]))?;
        Ok(reason)
    }
}

fn put_position(source: &str, position: &Position, connection: &mut Connection) -> Result<(), SqliteError> {
    if seeded::bug("position-not-kept") {
        return Ok(());
    }
    // Events that failed before stay so.
    let sql = "INSERT INTO larder_sources (source, stamp, place, generation, ordinal, checksum, failed, reason) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source) DO UPDATE SET stamp = excluded.stamp, \
               place = excluded.place, generation = excluded.generation, ordinal = excluded.ordinal, \
               checksum = excluded.checksum, failed = failed + excluded.failed, reason = ifnull(reason, excluded.reason)";
    let Position { head, stamp, failed, reason } = position;
    let params = [
        ValueRef::Text(source),
        ValueRef::Text(stamp),
        ValueRef::Integer(place_of(head.number)),
        ValueRef::Integer(i64::from(head.number.generation())),
        number(head.ordinal),
        ValueRef::Blob(&head.checksum),
        number(*failed),
        reason.as_deref().map_or(ValueRef::Null, ValueRef::Text),
    ];
    connection.execute(sql, &params).map(drop)
}
