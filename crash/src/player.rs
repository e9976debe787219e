//! Plays a script on a real registry.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use issues::import::{AHEAD, BadLine};
use larder::{
    AcrossError, Durability, LoadError, QueryError, ShutdownReport, StoreOptions, StoreRegistry, SyncStatus,
    testing::ManualClock,
};
use tokio::runtime::Runtime;

use crate::{
    check::Told,
    import,
    ledger::{self, Booking, Ledger, Refused},
    script::{Generation, Note, Step},
    server::Server,
    shelf,
    synced::SYNCED,
    watch::Watch,
};

/// A process: a registry over a data dir, and what it has open.
pub(crate) struct Player {
    root: PathBuf,
    durability: Durability,
    runtime: Arc<Runtime>,
    clock: ManualClock,
    server: Arc<Server>,
    registry: Option<StoreRegistry>,
    open: BTreeMap<String, Box<dyn Ledger>>,
    told: Mutex<Told>,
}

/// Why a step failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A registry or store could not be opened.
    Load(LoadError),
    /// A commit.
    Commit(Refused),
    /// A backup, or a read.
    Query(QueryError),
    /// The projection.
    Across(AcrossError),
    /// The sync of a store, which stands so.
    Sync(Box<SyncStatus>),
    /// Closing; nothing is lost by it.
    Close(ShutdownReport),
    /// The import of the example.
    Import(issues::failure::Failure),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(error) => write!(formatter, "a load: {error}"),
            Self::Commit(Refused { kind, message }) => write!(formatter, "a commit ({kind}): {message}"),
            Self::Query(error) => write!(formatter, "a query: {error}"),
            Self::Across(error) => write!(formatter, "the projection: {error}"),
            Self::Sync(status) => write!(formatter, "a sync: {status:?}"),
            Self::Close(report) => write!(formatter, "closing: {report:?}"),
            Self::Import(failure) => write!(formatter, "the import: {failure}"),
        }
    }
}

/// A runtime for one thread of tests.
pub(crate) fn runtime() -> Arc<Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    Arc::new(runtime.unwrap_or_else(|error| panic!("no runtime: {error}")))
}

impl Player {
    pub(crate) fn new(root: &Path, durability: Durability, runtime: &Arc<Runtime>) -> Self {
        Self {
            root: root.to_owned(),
            durability,
            runtime: Arc::clone(runtime),
            clock: ManualClock::new(),
            server: Arc::new(Server::new(root)),
            registry: None,
            open: BTreeMap::new(),
            told: Mutex::default(),
        }
    }

    /// Plays a step, and notes it.
    pub(crate) fn play(&mut self, step: &Step, watch: &Watch) -> Result<(), Failure> {
        match step {
            Step::Open { store, generation } => {
                self.note(watch, Note::Opens { store: (*store).to_owned(), generation: *generation });
                self.open(store, *generation).map_err(Failure::Load)
            }
            Step::Commit { store, bookings } => self.commit(store, bookings, watch).map_err(Failure::Commit),
            Step::Group { store, threads } => self.group(store, threads, watch).map_err(Failure::Commit),
            Step::Set { store, counter } => self.set(store, *counter, watch).map_err(Failure::Commit),
            Step::Sync { store } => self.sync(store),
            Step::Foreign { bookings } => {
                self.server.push_foreign(bookings);
                Ok(())
            }
            Step::Project => self.project(watch),
            Step::Backup { store, name } => {
                self.open[*store].backup(&self.root.join(name)).map_err(Failure::Query)?;
                self.note(watch, Note::BackedUp { store: (*store).to_owned(), path: (*name).to_owned() });
                Ok(())
            }
            Step::Import { text } => self.import(text, watch),
            Step::Idle => {
                self.runtime.block_on(self.clock.advance(Duration::from_secs(3)));
                Ok(())
            }
            Step::Shutdown => self.shutdown(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    pub(crate) fn clock(&self) -> &ManualClock {
        &self.clock
    }

    pub(crate) fn registry(&mut self) -> Result<&StoreRegistry, LoadError> {
        if self.registry.is_none() {
            let _entered = self.runtime.enter();
            let builder = StoreRegistry::builder()
                .data_dir(self.root.join("data"))
                .clock(&self.clock)
                .capacity(64)
                .defaults(StoreOptions::new().durability(self.durability));
            self.registry = Some(builder.build()?);
        }
        Ok(self.registry.as_ref().unwrap_or_else(|| unreachable!("it was just built")))
    }

    pub(crate) fn open(&mut self, store: &str, generation: Generation) -> Result<(), LoadError> {
        let (runtime, server) = (Arc::clone(&self.runtime), Arc::clone(&self.server));
        let registry = self.registry()?;
        let options = match store {
            SYNCED => StoreOptions::new().sync(server),
            _ => StoreOptions::new(),
        };
        let opened: Box<dyn Ledger> = runtime.block_on(async {
            Ok::<_, LoadError>(match generation {
                Generation::First => {
                    Box::new(registry.get::<ledger::first::Ledger>(store).options(options).await?) as Box<dyn Ledger>
                }
                Generation::Second => Box::new(registry.get::<ledger::second::Ledger>(store).await?),
                Generation::Third => Box::new(registry.get::<ledger::third::Ledger>(store).await?),
            })
        })?;
        self.open.insert(store.to_owned(), opened);
        Ok(())
    }

    pub(crate) fn store(&self, store: &str) -> Option<&dyn Ledger> {
        self.open.get(store).map(Box::as_ref)
    }

    fn commit(&self, store: &str, bookings: &[Booking], watch: &Watch) -> Result<(), Refused> {
        self.open[store].commit(bookings)?;
        if let Some(Booking { writer, counter, .. }) = bookings.last().cloned() {
            self.note(watch, Note::Acknowledged { store: store.to_owned(), writer, counter });
        }
        Ok(())
    }

    fn set(&self, store: &str, counter: i64, watch: &Watch) -> Result<(), Refused> {
        self.open[store].set(counter)?;
        self.note(watch, Note::Set { store: store.to_owned(), counter });
        Ok(())
    }

    /// The projection stays open, and follows, until all is closed.
    fn project(&mut self, watch: &Watch) -> Result<(), Failure> {
        self.note(watch, Note::Projects);
        let runtime = Arc::clone(&self.runtime);
        let registry = self.registry().map_err(Failure::Load)?.clone();
        runtime.block_on(shelf::caught_up(&registry)).map(drop)
    }

    /// Lines that were read are done with once more than [`AHEAD`] came after them; where some were known before, only the end tells.
    fn import(&mut self, text: &Arc<str>, watch: &Watch) -> Result<(), Failure> {
        let is_first = !self.told().has_import();
        self.note(watch, Note::Imports { text: Arc::clone(text) });
        let runtime = Arc::clone(&self.runtime);
        let registry = self.registry().map_err(Failure::Load)?.clone();
        let mut hears = Hears { player: self, watch, read: 0, is_first };
        let imported = import::run(&runtime, &registry, text, &mut hears);
        // Stores that were to be open in time are being opened still, and the next run would wait for what fails of this one.
        runtime.block_on(self.clock.settle());
        let summary = imported?;
        assert_eq!(summary.bad_lines.len(), 0, "{summary:?}");
        self.note(watch, Note::Imported { lines: text.lines().count() });
        Ok(())
    }

    /// Waits for what goes on in the background: a store that stopped is being closed.
    pub(crate) fn settle(&self) {
        self.runtime.block_on(self.clock.settle());
    }

    pub(crate) fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    fn note(&self, watch: &Watch, note: Note) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).hear(&note);
        watch.note(note);
    }

    /// What was told so far.
    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone().with_server(self.server.log())
    }

    /// Goes on from what another process was told.
    pub(crate) fn hear(&self, told: Told) {
        self.server.load(told.server());
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// The stores that are open, in the order of their ids.
    pub(crate) fn open_stores(&self) -> impl Iterator<Item = (&String, &dyn Ledger)> {
        self.open.iter().map(|(store, ledger)| (store, ledger.as_ref()))
    }

    fn group(&self, store: &str, threads: &[Vec<Booking>], watch: &Watch) -> Result<(), Refused> {
        let commit_all = |bookings: &[Booking]| {
            bookings.iter().try_for_each(|booking| self.commit(store, std::slice::from_ref(booking), watch))
        };
        std::thread::scope(|scope| {
            let running: Vec<_> = threads.iter().map(|bookings| scope.spawn(|| commit_all(bookings))).collect();
            let ended = running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| panic!("a thread panicked")));
            ended.fold(Ok(()), Result::and)
        })
    }

    /// Closes all; the next open makes a new registry.
    pub(crate) fn shutdown(&mut self) -> Result<(), Failure> {
        self.open.clear();
        let Some(registry) = self.registry.take() else { return Ok(()) };
        // Nobody waits for a connection.
        let report = self.runtime.block_on(registry.shutdown(Duration::ZERO));
        drop(registry);
        // The registry hands its catalog over, to be closed in the background.
        self.runtime.block_on(self.clock.settle());
        if report.is_clean() { Ok(()) } else { Err(Failure::Close(report)) }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // Nobody is left to hear of it.
        let _ = self.shutdown();
    }
}

/// Hears how far an import is.
struct Hears<'a> {
    player: &'a Player,
    watch: &'a Watch,
    read: usize,
    is_first: bool,
}

impl issues::import::Watch for Hears<'_> {
    fn read(&mut self, _read_bytes: u64) {
        self.read += 1;
        if self.is_first && self.read > AHEAD {
            self.player.note(self.watch, Note::Imported { lines: self.read - AHEAD });
        }
    }

    fn bad(&mut self, _bad: &BadLine) {}
}
