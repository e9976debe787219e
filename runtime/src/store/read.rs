//! Reads: on a pooled reader, which never waits for the writer; or on the store's own connection, where there is no other one.

use std::{cell::RefCell, fmt, marker::PhantomData, sync::Arc};

use super::{
    Engine,
    inside::{self, Inside},
    readers::{Lease, Reader},
};
use crate::{
    error::{QueryError, QueryErrorKind, StoreError},
    event::EventNumber,
    query::{EachRow, Fits, Query, Reads, Statement},
    seeded,
    storage::{
        eventlog::number_at,
        sqlite::{Access, Connection, Guard, Place, SqliteError, SqliteErrorKind},
    },
    telemetry,
    value::ValueRef,
};

/// How many statements a read runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// One, which is a state of its own.
    Statement,
    /// Several, on one consistent state.
    Snapshot,
}

impl Engine {
    /// Asks one query.
    pub(crate) fn query<Q: Query>(&self, query: &Q) -> Result<Q::Output, QueryError> {
        let span = self.timed(telemetry::query(self.name()));
        let _entered = span.enter();
        let whole = if Q::__ONE_STATEMENT { Span::Statement } else { Span::Snapshot };
        let mut output = None;
        self.read(whole, &mut |connection| {
            let mut session = Session::new(self, connection);
            output = Some(query.__run(&mut session)?);
            span.record("rows", session.rows);
            Ok(())
        })?;
        output.ok_or_else(|| self.query_error(QueryErrorKind::Interrupted))
    }

    /// Runs `work` on a connection that reads.
    pub(super) fn read(
        &self,
        span: Span,
        work: &mut dyn FnMut(&mut Connection) -> Result<(), QueryErrorKind>,
    ) -> Result<(), QueryError> {
        self.try_read(span, work).map_err(|kind| self.query_error(kind))
    }

    /// Names this store in an error.
    fn query_error(&self, kind: QueryErrorKind) -> QueryError {
        QueryError::new(self.store(), kind)
    }

    fn try_read(
        &self,
        span: Span,
        work: &mut dyn FnMut(&mut Connection) -> Result<(), QueryErrorKind>,
    ) -> Result<(), QueryErrorKind> {
        self.gate.check_read()?;
        self.note_call();
        if inside::inside(self.address()) == Some(Inside::Materializer) {
            return Err(QueryErrorKind::Reentrant);
        }
        match self.reader()? {
            Source::Reader(reader) => self.read_pooled(reader, span, work),
            Source::Own(why) => self.read_alone(why, span, work),
        }
    }

    fn reader(&self) -> Result<Source, QueryErrorKind> {
        if self.shared.place == Place::Memory {
            return Ok(Source::Own(None));
        }
        let pool = &self.shared.pool;
        // A thread that is inside of a store waits for no reader: whoever has one may wait for that store.
        match pool.take(self.shared.pool_key, !inside::inside_any(), || self.gate.check_read())? {
            Lease::Idle(reader) => Ok(Source::Reader(reader)),
            Lease::Open => self.open_reader().or_else(|error| {
                pool.forget();
                match error.kind {
                    SqliteErrorKind::TooManyOpenFiles => Ok(Source::Own(Some(error))),
                    _ => Err(self.refused("", error)),
                }
            }),
        }
    }

    fn open_reader(&self) -> Result<Source, SqliteError> {
        self.check_file()?;
        let mut connection = Connection::open(&self.shared.place, Access::Reader)?;
        // Readers of an idle store are closed, so what they keep is for work.
        connection.batch("PRAGMA cache_size = -512")?;
        let interrupter = Arc::new(connection.interrupter());
        Ok(Source::Reader(Reader { connection, interrupter }))
    }

    fn read_pooled(
        &self,
        reader: Reader,
        span: Span,
        work: &mut dyn FnMut(&mut Connection) -> Result<(), QueryErrorKind>,
    ) -> Result<(), QueryErrorKind> {
        // Given back also when `work` panics, with its transaction ended.
        let mut lent = Lent { engine: self, reader: Some(reader) };
        let Some(reader) = lent.reader.as_mut() else { return Err(QueryErrorKind::Interrupted) };
        let _active = self.reads.enter(&reader.interrupter);
        self.run(&mut reader.connection, span, work)
    }

    /// On the store's own connection; `why` no reader could be opened, where there can be readers.
    fn read_alone(
        &self,
        why: Option<SqliteError>,
        span: Span,
        work: &mut dyn FnMut(&mut Connection) -> Result<(), QueryErrorKind>,
    ) -> Result<(), QueryErrorKind> {
        match (inside::inside(self.address()), why) {
            (None, _) | (Some(Inside::Read), Some(_)) => {}
            (Some(_), None) => return Err(QueryErrorKind::Reentrant),
            // The thread has it already.
            (Some(_), Some(error)) => return Err(self.refused("", error)),
        }
        let waiting = inside::wait_for(self.address()).map_err(|inside::Circle| QueryErrorKind::Reentrant)?;
        let mut slot = self.lock_writer();
        drop(waiting);
        let Some(writer) = slot.as_mut() else { return Err(self.closed_store().into()) };
        let interrupter = Arc::new(writer.connection.interrupter());
        let _active = self.reads.enter(&interrupter);
        // A `decode` of the app that asked this store again would wait for itself.
        let _inside = inside::enter(self.address(), Inside::ReadAlone);
        self.run(&mut writer.connection, span, work)
    }

    /// Gives a reader back.
    fn give_back(&self, reader: Reader) {
        let shared = &self.shared;
        shared.pool.give_back(shared.pool_key, reader);
        // A store that stops takes its readers along; whoever closed it meanwhile did not find this one.
        if self.gate.check_read().is_err() {
            shared.pool.close_idle(shared.pool_key);
        }
    }

    fn run(
        &self,
        connection: &mut Connection,
        span: Span,
        work: &mut dyn FnMut(&mut Connection) -> Result<(), QueryErrorKind>,
    ) -> Result<(), QueryErrorKind> {
        // Whoever stopped the store before the read was noted did not interrupt it.
        self.gate.check_read()?;
        if span == Span::Statement || seeded::bug("snapshot-not-one-state") {
            return work(connection);
        }
        let _inside = inside::enter(self.address(), Inside::Read);
        let mut transaction = Transaction::begin(self, connection)?;
        work(transaction.connection())
    }

    /// An error of SQLite in a read.
    pub(super) fn refused(&self, sql: &str, error: SqliteError) -> QueryErrorKind {
        self.notice(&error);
        match (error.kind, self.gate.check_read()) {
            (SqliteErrorKind::Interrupted, _) => QueryErrorKind::Interrupted,
            (_, Err(stopped)) => stopped.into(),
            (_, Ok(())) => error.into_query_error(sql),
        }
    }

    pub(super) fn closed_store(&self) -> StoreError {
        self.gate.check_read().err().unwrap_or_else(|| StoreError::Closed { store: self.store() })
    }
}

/// What a read runs on.
enum Source {
    /// A reader.
    Reader(Reader),
    /// The store's own connection: there is no other in memory, or none can be opened now.
    Own(Option<SqliteError>),
}

/// A reader in use.
struct Lent<'a> {
    engine: &'a Engine,
    reader: Option<Reader>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let Some(reader) = self.reader.take() else { return };
        if reader.connection.in_transaction() {
            // It would hold a state for ever.
            drop(reader);
            self.engine.shared.pool.forget();
        } else {
            self.engine.give_back(reader);
        }
    }
}

/// A read transaction, ended when dropped.
struct Transaction<'a>(&'a mut Connection);

impl<'a> Transaction<'a> {
    fn begin(engine: &Engine, connection: &'a mut Connection) -> Result<Self, QueryErrorKind> {
        connection.execute("BEGIN", &[]).map_err(|error| engine.refused("BEGIN", error))?;
        Ok(Self(connection))
    }

    fn connection(&mut self) -> &mut Connection {
        self.0
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // A read transaction has nothing to lose; a connection on which this fails is closed by its lender.
        let _ = self.0.execute("ROLLBACK", &[]);
    }
}

/// Queries of the app on one connection.
pub(super) struct Session<'a> {
    engine: &'a Engine,
    connection: &'a mut Connection,
    rows: u64,
}

impl<'a> Session<'a> {
    pub(super) fn new(engine: &'a Engine, connection: &'a mut Connection) -> Self {
        Self { engine, connection, rows: 0 }
    }

    /// Rows read so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }
}

impl Reads for Session<'_> {
    fn rows(&mut self, statement: &Statement<'_>, each: &mut EachRow<'_>) -> Result<(), QueryErrorKind> {
        self.engine.gate.check_read()?;
        let rows = &mut self.rows;
        let read = self.connection.read_with(statement, Guard::ReadOnlySql, &mut |row| {
            *rows += 1;
            each(row)
        });
        read.map_err(|error| match error.sqlite() {
            Some(sqlite) => self.engine.refused(statement.sql, sqlite.clone()),
            None => error.into_query_error(statement.sql),
        })
    }
}

/// The number of the last event of the state that the connection reads.
pub(super) fn head(engine: &Engine, connection: &mut Connection) -> Result<EventNumber, QueryErrorKind> {
    let sql = "SELECT place, generation FROM larder_events ORDER BY place DESC LIMIT 1";
    let head = connection.row(sql, &[], |row| {
        Ok::<_, SqliteError>(match (row.value(0), row.value(1)) {
            (ValueRef::Integer(place), ValueRef::Integer(generation)) => {
                number_at(place, u32::try_from(generation).unwrap_or(0))
            }
            _ => None,
        })
    });
    Ok(head.map_err(|error| engine.refused(sql, error))?.flatten().unwrap_or(EventNumber::ZERO))
}

/// One consistent state of a store, inside [`Store::read`](crate::Store::read).
pub struct Snapshot<'a, D> {
    engine: &'a Engine,
    session: RefCell<Session<'a>>,
    types: PhantomData<fn() -> D>,
}

impl<D> Snapshot<'_, D> {
    /// Asks a query of this state.
    ///
    /// # Errors
    /// Those of [`Store::query`](crate::Store::query).
    pub fn query<Q: Query + Fits<D>>(&self, query: Q) -> Result<Q::Output, QueryError> {
        let Ok(mut session) = self.session.try_borrow_mut() else { return Err(self.reentrant()) };
        let span = self.engine.timed(telemetry::query(self.engine.name()));
        let _entered = span.enter();
        let before = session.rows;
        let output = query.__run(&mut *session);
        span.record("rows", session.rows - before);
        output.map_err(|kind| self.engine.query_error(kind))
    }

    /// The number of the last event of this state.
    ///
    /// # Errors
    /// Those of [`Store::query`](crate::Store::query).
    pub fn head(&self) -> Result<EventNumber, QueryError> {
        let Ok(mut session) = self.session.try_borrow_mut() else { return Err(self.reentrant()) };
        let Session { engine, connection, .. } = &mut *session;
        head(engine, connection).map_err(|kind| engine.query_error(kind))
    }

    fn reentrant(&self) -> QueryError {
        // A query that asks another one of the same snapshot from inside; no query of larder's does.
        self.engine.query_error(QueryErrorKind::Reentrant)
    }
}

impl<D> fmt::Debug for Snapshot<'_, D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

/// Runs `work` on one consistent state.
pub(crate) fn read<D, R>(
    engine: &Engine,
    work: impl FnOnce(&Snapshot<'_, D>) -> Result<R, QueryError>,
) -> Result<R, QueryError> {
    let (mut work, mut output) = (Some(work), None);
    engine.read(Span::Snapshot, &mut |connection| {
        if let Some(work) = work.take() {
            let session = RefCell::new(Session::new(engine, connection));
            // An error of `work` says already which store it is about.
            output = Some(work(&Snapshot { engine, session, types: PhantomData }));
        }
        Ok(())
    })?;
    output.unwrap_or_else(|| Err(engine.query_error(QueryErrorKind::Interrupted)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::{Note, note, on_disk, open};

    fn reader(engine: &Engine) -> Reader {
        match engine.reader() {
            Ok(Source::Reader(reader)) => reader,
            _ => panic!("there is no reader"),
        }
    }

    #[test]
    fn a_reader_that_comes_back_after_its_store_was_closed_is_closed() {
        let (place, _dir) = on_disk();
        let (store, _host) = open(&place);
        let lent = reader(store.engine());
        store.engine().close().unwrap();
        store.engine().give_back(lent);
        assert_eq!(store.engine().shared.pool.open(), 0);
    }

    #[test]
    fn readers_beyond_the_bound_are_closed_after_use() {
        let (place, _dir) = on_disk();
        let (store, _host) = open(&place);
        let lent: Vec<_> = (0..6).map(|_| reader(store.engine())).collect();
        assert_eq!(store.engine().shared.pool.open(), 6);
        lent.into_iter().for_each(|reader| store.engine().give_back(reader));
        assert_eq!(store.engine().shared.pool.open(), 4);
    }

    #[tokio::test]
    async fn a_read_that_fails_once_does_not_end_a_stream_of_events() {
        let (place, _dir) = on_disk();
        let (store, _host) = open(&place);
        store.commit(note(1, 1)).unwrap();
        let mut events = store.events(EventNumber::ZERO);
        let access = Access::Writer { create: true, durability: crate::Durability::Process };
        let nothing = Connection::open(&Place::Memory, access).unwrap();
        let broken = Reader { connection: nothing, ..reader(store.engine()) };
        store.engine().give_back(broken);
        let failed = events.next().await.unwrap().unwrap_err();
        assert!(matches!(failed, StoreError::Storage { .. }), "{failed}");
        store.engine().shared.pool.close_idle(store.engine().shared.pool_key);
        assert_eq!(events.next().await.unwrap().unwrap().number, EventNumber::synced(1));
        assert_eq!(store.query(Note::all()).unwrap().len(), 1);
    }
}
