//! The non-generic store: one writer, pooled readers, one queue of commits.

use std::{
    fmt,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use tokio_util::sync::CancellationToken;

use super::{
    EngineHost, MigrationsReport, ProgressSink, ReaderPool, StoreName,
    active::ActiveReads,
    commit::CommitQueue,
    follow::Following,
    gate::{Activity, Gate},
    readers::PoolKey,
    undos::Undos,
    watch::Watchers,
    writer::Writer,
};
use crate::{
    Timestamp,
    clock::Runtime,
    error::StoreError,
    event::{EventNumber, SessionId},
    live::LiveQueries,
    options::ResolvedOptions,
    primitives::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64},
    },
    schema::SchemaModel,
    seeded,
    storage::{
        change_records::Keeper,
        eventlog::{ChainKey, LogHead, number_at, place_of},
        identity::Client,
        meta::Meta,
        same_file::{FileId, Standing},
        sqlite::{Place, SqliteError, SqliteErrorKind},
    },
    sync::SyncNotes,
};

/// All that a load needs.
pub(crate) struct OpenRequest {
    /// The definition's schema.
    pub(crate) model: Arc<SchemaModel>,
    /// Which store.
    pub(crate) name: StoreName,
    /// Where its data lives. The folder of a file exists.
    pub(crate) place: Place,
    /// A store that is not there is made.
    pub(crate) create: bool,
    /// All layers of the options.
    pub(crate) options: Arc<ResolvedOptions>,
    /// Who commits.
    pub(crate) client: Arc<Client>,
    /// In which session.
    pub(crate) session_id: SessionId,
    /// The readers of all stores of the registry.
    pub(crate) readers: Arc<ReaderPool>,
    /// Clock and blocking pool.
    pub(crate) runtime: Runtime,
    /// Ends a rebuild between two batches.
    pub(crate) cancel: CancellationToken,
    /// Hears of the progress of a rebuild.
    pub(crate) progress: ProgressSink,
    /// Hears of the loaded store.
    pub(crate) host: Arc<dyn EngineHost>,
}

impl OpenRequest {
    /// Who keeps change records in the store's file: nobody without a backend.
    pub(super) fn keeper(&self, key: &ChainKey, confirmed: u64) -> Option<Keeper> {
        self.options.sync.as_ref().map(|_| Keeper::new(key.clone(), confirmed))
    }
}

/// Why a store stops whose file is not at its place any more.
const GONE: &str = "its file is gone, or another is in its place";

/// One loaded store without its types.
pub(crate) struct Engine {
    pub(super) shared: Shared,
    /// `None` once closed.
    pub(super) writer: Mutex<Option<Writer>>,
    pub(super) queue: CommitQueue,
    pub(super) reads: ActiveReads,
    pub(super) watchers: Watchers,
    /// Who waits for the end of the store alone: commits do not wake them.
    pub(super) ending: Watchers,
    pub(super) changes: super::changes::Listeners,
    pub(super) live: LiveQueries,
    /// How sync stands.
    pub(crate) sync: SyncNotes,
    /// Where the events of receipts are.
    pub(super) following: Arc<Following>,
    /// Who has shown events that a rebase may undo.
    pub(super) undos: Undos,
    /// Receipts have it too, and know what was confirmed when the store is gone.
    pub(super) published: Arc<Published>,
    pub(super) report: MigrationsReport,
    pub(super) gate: Arc<Gate>,
    /// Held by whoever checkpoints on a connection of its own; closing waits for it.
    pub(super) maintenance: Mutex<()>,
    /// The next load is to rebuild the tables.
    pub(super) suspect: AtomicBool,
    /// A sync failed: closing moves nothing into the file.
    pub(super) sync_failed: AtomicBool,
    activity: Activity,
}

/// What never changes while the store is loaded.
pub(crate) struct Shared {
    pub(crate) name: StoreName,
    pub(crate) model: Arc<SchemaModel>,
    pub(crate) place: Place,
    pub(crate) options: Arc<ResolvedOptions>,
    pub(crate) client: Arc<Client>,
    pub(crate) session_id: SessionId,
    pub(crate) pool: Arc<ReaderPool>,
    pub(crate) pool_key: PoolKey,
    pub(crate) key: ChainKey,
    /// Of the file that was loaded, where the system says it.
    pub(crate) file_id: Option<FileId>,
    pub(crate) runtime: Runtime,
    pub(crate) host: Arc<dyn EngineHost>,
}

/// What is known of a store without asking SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EngineStats {
    /// The last event's number.
    pub(crate) head: EventNumber,
    /// Events in the log.
    pub(crate) events: u64,
    /// Bytes of the store's files; 0 in memory.
    pub(crate) bytes: u64,
    /// Synced events that the backend has not confirmed; 0 without a backend.
    pub(crate) unsent: u64,
}

/// The head as of the last COMMIT, for everybody who must not wait for the writer.
#[derive(Debug)]
pub(super) struct Published {
    place: AtomicU64,
    generation: AtomicU64,
    events: AtomicU64,
    confirmed: AtomicU64,
    rebases: AtomicU64,
}

impl Published {
    pub(super) fn new(head: &LogHead, confirmed: u64) -> Self {
        let published = Self {
            place: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            events: AtomicU64::new(0),
            confirmed: AtomicU64::new(confirmed),
            rebases: AtomicU64::new(0),
        };
        published.set(head);
        published
    }

    pub(super) fn set(&self, head: &LogHead) {
        self.generation.store(u64::from(head.number.generation()), Ordering::Release);
        self.events.store(head.ordinal, Ordering::Release);
        self.place.store(place_of(head.number).unsigned_abs(), Ordering::Release);
    }

    pub(super) fn head(&self) -> EventNumber {
        let place = i64::try_from(self.place.load(Ordering::Acquire)).unwrap_or(0);
        let generation = u32::try_from(self.generation.load(Ordering::Acquire)).unwrap_or(0);
        number_at(place, generation).unwrap_or(EventNumber::ZERO)
    }

    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed.load(Ordering::Acquire)
    }

    pub(super) fn set_confirmed(&self, global: u64) {
        self.confirmed.store(global, Ordering::Release);
    }

    /// How often pending events were moved since the load.
    pub(super) fn rebases(&self) -> u64 {
        self.rebases.load(Ordering::Acquire)
    }

    /// They were moved once more.
    pub(super) fn rebased(&self) {
        self.rebases.fetch_add(1, Ordering::AcqRel);
    }
}

impl Engine {
    pub(super) fn assemble(shared: Shared, writer: Writer, report: MigrationsReport, meta: Meta) -> Self {
        Self {
            published: Arc::new(Published::new(&writer.tip.head, meta.confirmed)),
            sync: SyncNotes::new(shared.options.sync.is_some(), (meta.backend, meta.sync_metadata), report.failed),
            shared,
            writer: Mutex::new(Some(writer)),
            queue: CommitQueue::default(),
            reads: ActiveReads::default(),
            watchers: Watchers::default(),
            ending: Watchers::default(),
            changes: super::changes::Listeners::default(),
            live: LiveQueries::default(),
            following: Arc::default(),
            undos: Undos::default(),
            report,
            gate: Arc::default(),
            maintenance: Mutex::default(),
            suspect: AtomicBool::new(false),
            sync_failed: AtomicBool::new(false),
            activity: Activity::default(),
        }
    }

    /// Which store.
    pub(crate) fn name(&self) -> &StoreName {
        &self.shared.name
    }

    /// The last committed event's number.
    pub(crate) fn head(&self) -> EventNumber {
        self.published.head()
    }

    /// The date and time, in whole microseconds.
    pub(super) fn timestamp(&self) -> Timestamp {
        self.shared.runtime.timestamp()
    }

    /// What loading did to the tables.
    pub(crate) fn report(&self) -> &MigrationsReport {
        &self.report
    }

    /// What is known without asking SQLite; cheap.
    pub(crate) fn stats(&self) -> EngineStats {
        let head = self.head();
        let events = self.published.events.load(Ordering::Acquire);
        EngineStats { head, events, bytes: self.bytes(), unsent: self.unsent_events() }
    }

    /// Events that the backend does not have; 0 without one.
    pub(crate) fn unsent_events(&self) -> u64 {
        if self.has_backend() { self.unconfirmed() } else { 0 }
    }

    /// Events that no backend has confirmed, with or without one.
    pub(crate) fn unconfirmed(&self) -> u64 {
        self.head().global().saturating_sub(self.published.confirmed())
    }

    /// Commits that wait for the one in progress.
    pub(crate) fn waiting_commits(&self) -> usize {
        self.queue.waiting()
    }

    /// Whether the store still answers.
    pub(crate) fn check_read(&self) -> Result<(), StoreError> {
        self.gate.check_read()
    }

    pub(super) fn has_backend(&self) -> bool {
        self.shared.options.sync.is_some()
    }

    /// Notes a call: the registry hears of the first one after a quiet time.
    pub(super) fn note_call(&self) {
        if self.activity.call() {
            self.shared.host.busy();
        }
    }

    /// Whether no call came since the last look.
    pub(super) fn settle(&self) -> bool {
        self.activity.settle()
    }

    pub(super) fn lock_writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn store(&self) -> StoreName {
        self.shared.name.clone()
    }

    /// Looks at an error of something that writes: after a failed sync what is acknowledged later could rest on writes that are not on
    /// disk, so the store takes no more.
    pub(super) fn notice_write(&self, error: &SqliteError) {
        if error.kind == SqliteErrorKind::SyncFailed && !seeded::bug("failed-sync-forgiven") {
            self.sync_failed.store(true, Ordering::Relaxed);
            self.gate.poison(StoreError::Poisoned { store: self.store(), reason: error.message.clone() });
        } else {
            self.notice(error);
        }
    }

    /// Looks at an error of SQLite: damage, or a file that is gone, stops the store for good.
    pub(super) fn notice(&self, error: &SqliteError) {
        let reason = match error.kind {
            SqliteErrorKind::Corrupt | SqliteErrorKind::NotADatabase => format!("its file is damaged: {error}"),
            SqliteErrorKind::Io | SqliteErrorKind::CannotOpen | SqliteErrorKind::ReadOnly
                if self.standing() != Standing::Same =>
            {
                GONE.to_owned()
            }
            _ => return,
        };
        self.fail(reason);
    }

    /// Stops the store for good: the registry hears of it, and the next load looks at the tables.
    pub(super) fn fail(&self, reason: String) {
        let error = StoreError::Stopped { store: self.store(), reason };
        if self.gate.stop(error.clone()) {
            self.mark_suspect();
            self.shared.pool.wake();
            self.wake_everybody();
            self.shared.host.stopped(error);
        }
    }

    fn bytes(&self) -> u64 {
        let Place::File(path) = &self.shared.place else { return 0 };
        let size = |path: &std::path::Path| path.metadata().map_or(0, |data| data.len());
        size(path) + size(&crate::storage::lock::beside(path, "-wal"))
    }

    /// To be called before the file is opened again, by its path: another one in its place is not this store's.
    ///
    /// # Errors
    /// When it is gone or another, which stops the store.
    pub(super) fn check_file(&self) -> Result<(), SqliteError> {
        if self.standing() == Standing::Same {
            return Ok(());
        }
        self.fail(GONE.to_owned());
        Err(SqliteError::new(SqliteErrorKind::CannotOpen, GONE))
    }

    /// What stands at the path of the store's file.
    pub(super) fn standing(&self) -> Standing {
        match (&self.shared.place, self.shared.file_id) {
            (Place::File(path), Some(id)) => id.look(path),
            _ => Standing::Same,
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Engine")
            .field("name", &self.shared.name)
            .field("head", &self.head())
            .finish_non_exhaustive()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A last resort: the registry closes its stores itself, off the caller's thread. There is nobody left to hear of an error.
        let _ = self.close();
    }
}
