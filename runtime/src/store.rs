//! A store: one eventlog and the tables that its events build.

use std::{fmt, marker::PhantomData, path::Path, sync::Arc};

#[cfg(feature = "testing")]
use crate::event::LogNumbers;
use crate::{
    Timestamp,
    definition::{EventOf, StoreDefinition},
    document::DocumentOf,
    error::{CommitError, QueryError},
    event::EventNumber,
    id::StoreId,
    live::{LiveStats, Subscription},
    query::{Fits, Query},
    sync::{SyncStatus, SyncWatch},
};

mod active;
mod backup;
mod changes;
mod checkpoint;
mod close;
mod closed;
mod commit;
mod confirm;
mod deprecated;
mod document;
mod engine;
mod events;
mod failed;
mod files;
mod follow;
mod gate;
mod host;
mod inside;
mod into_events;
mod live;
mod loss;
mod merge;
mod name;
mod observer;
mod open;
mod project;
mod quarantine;
mod read;
mod readers;
mod rebuild;
mod receipt;
mod replace;
mod replay;
mod report;
mod seal;
#[cfg(test)]
mod tests;
mod timed;
mod undos;
mod verify;
mod watch;
mod writer;

pub use changes::{Change, ChangeStream};
pub(crate) use checkpoint::Maintained;
pub(crate) use closed::{ClosedStore, NotRead, file_stamp, read_closed};
pub use commit::CommitAsync;
pub(crate) use engine::{Engine, OpenRequest};
pub use events::{EventStream, LogChange, PendingEventStream};
pub use failed::FailedEvent;
pub(crate) use files::scan_wal;
pub(crate) use host::{EngineHost, NoHost, ProgressSink};
pub(crate) use inside::inside_any;
pub use into_events::IntoEvents;
pub(crate) use loss::lost;
pub(crate) use merge::{MergeError, Merged, Upstream};
pub use name::StoreName;
pub(crate) use observer::Observer;
pub(crate) use project::{FromSource, Position, SOURCES_DDL, SourceRead, read_source, stored_positions};
pub use quarantine::QuarantinedEvent;
pub use read::Snapshot;
pub(crate) use readers::ReaderPool;
pub use receipt::Receipt;
pub(crate) use replace::discard_new;
pub(crate) use replay::{Applied, ApplyStored, ProjectStored, Unapplied, apply_stored, project_stored};
pub use report::{LoadProgress, Loss, LostCommits, Migration, MigrationsReport, NoIndex, RebuildReason};
pub(crate) use seal::{Misfit, compare};
pub use verify::{TableReport, VerifyReport};
pub(crate) use watch::CommitWatch;
use writer::Writer;

/// One loaded store. A [`StoreHandle`](crate::StoreHandle) derefs to it.
///
/// All calls block for as long as SQLite needs, mostly microseconds; [`commit_async`](Self::commit_async) does not. No call may be made
/// from inside a materializer of the same store, and no commit from inside [`read`](Self::read): such calls answer an error. That is known
/// of the thread that calls: a materializer, or in memory a `read`, that waits for another thread which calls the same store waits for ever.
pub struct Store<D> {
    engine: Arc<Engine>,
    types: PhantomData<fn() -> D>,
}

impl<D: StoreDefinition> Store<D> {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, types: PhantomData }
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Commits events: one, an array, a slice or a `Vec`; all or none. When it returns they are durable and visible to every reader.
    /// No events is no commit.
    ///
    /// Commits of several threads share transactions. Where a sync backend is configured, a push may split a commit, and another
    /// client's event may come to stand between its events.
    ///
    /// # Errors
    /// When nothing was committed; the events come back with the error. See [`CommitErrorKind`](crate::CommitErrorKind).
    pub fn commit(&self, events: impl IntoEvents<D, EventOf<D>>) -> Result<Receipt, CommitError<EventOf<D>>> {
        commit::commit::<D>(&self.engine, events.into_events())
    }

    /// The same as [`commit`](Self::commit) on the blocking pool. It begins with the first poll; dropped after that, it still
    /// happens wholly or not at all.
    pub fn commit_async(&self, events: impl IntoEvents<D, EventOf<D>>) -> CommitAsync<D> {
        commit::commit_async::<D>(&self.engine, events.into_events())
    }

    /// Asks a query, or a tuple of queries on one consistent state. It sees every commit that has returned, and never waits for
    /// one that has not. In memory, where there is one connection, it does; and so does one for which no reader can be opened because the
    /// process has no file descriptors left. When all readers of the registry are in use it waits a moment for one, and opens one more then.
    ///
    /// # Errors
    /// When the store is gone, SQLite refuses the query, or a row does not decode. [`QueryErrorKind::Reentrant`](crate::QueryErrorKind) when
    /// it would wait for itself: inside the store's own materializer, and for a store in memory inside its own [`read`](Self::read), or inside
    /// another store while a thread that is inside of this one waits for that.
    pub fn query<Q: Query + Fits<D>>(&self, query: Q) -> Result<Q::Output, QueryError> {
        self.engine.query(&query)
    }

    /// Asks several queries of one consistent state.
    ///
    /// # Errors
    /// Those of [`query`](Self::query), and what `work` returns. Inside `work` the store itself may be asked, which may show a later state;
    /// in memory, where there is one connection, that is [`QueryErrorKind::Reentrant`](crate::QueryErrorKind::Reentrant). A commit to the store
    /// from inside `work` is an error.
    pub fn read<R>(&self, work: impl FnOnce(&Snapshot<'_, D>) -> Result<R, QueryError>) -> Result<R, QueryError> {
        read::read(&self.engine, work)
    }

    /// The events after number `after`, as a stream that goes on for ever: [`EventNumber::ZERO`] for all of them, the number of the last
    /// one seen to continue, [`head`](Self::head) for new ones only.
    ///
    /// Without a sync backend these are all committed events; with one, the synced events that it has confirmed.
    ///
    /// The stream is an observer of its own: it keeps the store loaded, and counts with the gc time of the definition or the registry,
    /// whatever that of the handle it was made from.
    pub fn events(&self, after: EventNumber) -> EventStream<D> {
        EventStream::new(&self.engine, after)
    }

    /// What each commit from now on changes in the tables, as a stream.
    pub fn changes(&self) -> ChangeStream<D> {
        ChangeStream::new(self.engine.listen())
    }

    /// Subscribes to a query, or to a tuple of queries on one consistent state: its result now, then each different one.
    ///
    /// ```no_run
    /// # use larder::prelude::*;
    /// # #[derive(Table)]
    /// # struct Issue { #[table(primary_key)] number: i64, open: bool }
    /// # async fn example<D: StoreDefinition>(store: &Store<D>) -> Result<(), larder::QueryError> where D::Schema: HasTable<Issue> {
    /// let mut open = store.subscribe(Issue::filter(Issue::OPEN.eq(true)).limit(20));
    /// while let Some(issues) = open.next().await {
    ///     println!("{} open issues", issues?.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It is an observer of its own, as [`events`](Self::events) is.
    pub fn subscribe<Q: Query + Fits<D> + Send + Sync + 'static>(&self, query: Q) -> Subscription<Q::Output> {
        crate::live::subscribe(&self.engine, query)
    }

    /// Changes a document: `change` gets its value, and the fields that are others then are committed, by a client-only event. Nothing is
    /// committed when nothing is another. Changes of different fields of one document do not undo each other.
    ///
    /// ```no_run
    /// # use larder::{prelude::*, CommitError, Document, HasDocument};
    /// #[derive(Document, Default)]
    /// struct View {
    ///     filter: String,
    ///     selected: Option<i64>,
    /// }
    /// # fn example<D: StoreDefinition>(store: &Store<D>) -> Result<(), Box<dyn std::error::Error>>
    /// # where D::Schema: HasDocument<View> {
    /// store.update_document("main", |view: &mut View| view.selected = Some(7))?;
    /// assert_eq!(store.query(View::get("main"))?.selected, Some(7));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When nothing was committed, as of [`commit`](Self::commit); the changed value comes back with the error.
    pub fn update_document<V: DocumentOf<D::Schema>>(
        &self,
        id: impl AsRef<str>,
        change: impl FnOnce(&mut V),
    ) -> Result<Receipt, CommitError<V>> {
        document::update::<D::Schema, V>(&self.engine, id.as_ref(), change)
    }

    /// How many live queries there are, and how often they ran: for inspectors and tests.
    pub fn live_stats(&self) -> LiveStats {
        self.engine.live().stats()
    }

    /// The date and time to put into an event, in whole microseconds: `Timestamp::now()` has finer digits, which a column refuses. It is
    /// the time of the store's clock, so that a test with a `ManualClock` (feature `testing`) says what time it is.
    ///
    /// ```no_run
    /// # use larder::{prelude::*, StoreDefinition};
    /// # struct NoteAdded { text: String, at: Timestamp }
    /// # fn example<NoteStore: StoreDefinition>(store: &Store<NoteStore>) -> NoteAdded {
    /// NoteAdded { text: "buy jars".into(), at: store.now() }
    /// # }
    /// ```
    pub fn now(&self) -> Timestamp {
        self.engine.timestamp()
    }

    /// The numbers of all events, to assert on.
    ///
    /// # Errors
    /// Those of [`query`](Self::query).
    #[cfg(feature = "testing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn log_numbers(&self) -> Result<LogNumbers, QueryError> {
        self.engine.log_numbers()
    }

    /// The number of the last committed event.
    pub fn head(&self) -> EventNumber {
        self.engine.head()
    }

    /// The definition's name and the store's id.
    pub fn name(&self) -> &StoreName {
        self.engine.name()
    }

    /// The store's id.
    pub fn id(&self) -> &StoreId {
        self.engine.name().id()
    }

    /// What loading the store did to its tables.
    pub fn migrations_report(&self) -> &MigrationsReport {
        self.engine.report()
    }

    /// The events of the log that do not materialize, with the reasons. They are tried again at each rebuild.
    ///
    /// # Errors
    /// Those of [`query`](Self::query).
    pub fn failed_events(&self) -> Result<Vec<FailedEvent>, QueryError> {
        self.engine.failed_events()
    }

    /// The pending events that were taken out of the log because they no longer materialize, behind the events of others or with a new
    /// release of the app, with the reasons. They are in no table and no other client sees them; they stay in the store's file.
    ///
    /// # Errors
    /// Those of [`query`](Self::query).
    pub fn quarantined_events(&self) -> Result<Vec<QuarantinedEvent>, QueryError> {
        self.engine.quarantined_events()
    }

    /// How the sync of the store stands.
    pub fn sync_status(&self) -> SyncStatus {
        self.engine.sync_status()
    }

    /// How the sync of the store stands, as a stream: now, then each time that it is another. It holds no store.
    pub fn watch_sync(&self) -> SyncWatch {
        SyncWatch::new(&self.engine)
    }

    /// Checks all of the eventlog, rebuilds the tables in memory, and compares: finds damage that SQLite does not notice. It takes
    /// as long as a rebuild, and commits go on meanwhile (in memory they wait). Tables that differ are rebuilt by the next load.
    ///
    /// # Errors
    /// Those of [`query`](Self::query); what is found is in the report.
    pub fn verify(&self) -> Result<VerifyReport, QueryError> {
        self.engine.verify()
    }

    /// Copies the whole store, as it stands at the call, into a new file. Put in the place of the file of a store that is closed, it
    /// is that store as it was; what stands beside that file (`-wal`, `-shm`, `.lock`) must go then.
    ///
    /// # Errors
    /// When `path` exists or cannot be written.
    pub fn backup(&self, path: impl AsRef<Path>) -> Result<(), QueryError> {
        self.engine.backup(path.as_ref())
    }
}

impl<D> fmt::Debug for Store<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Store").field(&self.engine.name().to_string()).finish()
    }
}
