//! A registry whose threads, tasks and clock are the scheduler's, and what must hold when it is gone.

use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use shuttle::{
    Config, Runner,
    future::block_on,
    scheduler::{PctScheduler, RandomScheduler},
    thread,
};

use crate::{
    RegistryBuilder, StoreOptions,
    clock::scheduled::{alive, none_alive},
    prelude::*,
    registry::Shared,
    store::Engine,
    telemetry::Happened,
    testing::{EventLog, ManualClock},
};

/// How long stores stay without observers.
pub(super) const GC_TIME: Duration = Duration::from_secs(10);

pub(super) const ID: &str = "note:1";

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "notes")]
pub(super) struct Note {
    #[table(primary_key)]
    number: i64,
}

#[derive(Event, Clone, Debug, PartialEq)]
pub(super) enum NoteEvent {
    #[event(name = "v1.NoteWritten")]
    Written { number: i64 },
}

#[derive(StoreSchema)]
#[schema(events = NoteEvent, tables(Note), version = 1)]
pub(super) struct NoteSchema;

#[crate::materializer]
impl Materializer for NoteSchema {
    fn materialize(event: &NoteEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let NoteEvent::Written { number } = event;
        tables.insert(Note { number: *number })
    }
}

crate::define_store! {
    pub(super) NoteStore {
        name: "note",
        schema: NoteSchema,
        adapter: SqliteAdapter::in_memory(),
        on_load: opened,
    }
}

thread_local! {
    /// Every engine that this schedule has opened and whose `on_load` ran.
    static ENGINES: RefCell<Vec<Weak<Engine>>> = const { RefCell::new(Vec::new()) };
}

async fn opened(store: &Store<NoteStore>, _: LoadContext) -> Result<(), crate::BoxError> {
    ENGINES.with_borrow_mut(|engines| engines.push(Arc::downgrade(store.engine())));
    Ok(())
}

/// One registry of one schedule.
pub(super) struct Bench {
    pub(super) clock: ManualClock,
    log: EventLog,
    shared: Weak<Shared>,
}

impl Bench {
    pub(super) fn new() -> (Self, StoreRegistry) {
        Self::with(|builder| builder)
    }

    pub(super) fn with(change: impl FnOnce(RegistryBuilder) -> RegistryBuilder) -> (Self, StoreRegistry) {
        none_alive();
        ENGINES.with_borrow_mut(Vec::clear);
        let (clock, log) = (ManualClock::new(), EventLog::new());
        let defaults = StoreOptions::new().gc_time(GC_TIME);
        let builder = StoreRegistry::builder().in_memory().defaults(defaults).clock(&clock).log(&log);
        let registry = change(builder).build().unwrap();
        let shared = Arc::downgrade(&registry.shared);
        (Self { clock, log, shared }, registry)
    }

    /// Once the registry and all handles are dropped: nothing is left, and every store was closed before it was opened again.
    pub(super) fn end(self) {
        block_on(self.clock.settle());
        // What ends says so a few steps before it is gone.
        for _ in 0..10_000 {
            if alive() == 0 {
                break;
            }
            thread::yield_now();
        }
        assert_eq!(alive(), 0, "tasks or blocking work are left");
        assert!(self.shared.upgrade().is_none(), "somebody holds the registry");
        let open = ENGINES.with_borrow(|engines| engines.iter().filter(|engine| engine.strong_count() > 0).count());
        assert_eq!(open, 0, "stores are left open");
        lives(&self.log.take_happened());
    }
}

/// Where a store is, by what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Life {
    #[default]
    Out,
    Loading,
    Loaded,
    Leaving,
}

/// At most one live store per definition and id: each load ends before the next one begins.
fn lives(happened: &[Happened]) {
    let mut lives: HashMap<String, Life> = HashMap::new();
    for step in happened {
        let (name, from, to) = match step {
            Happened::Loading(name) => (name, Life::Out, Life::Loading),
            Happened::Loaded(name) => (name, Life::Loading, Life::Loaded),
            Happened::LoadFailed(name) => (name, Life::Loading, Life::Out),
            Happened::Evicted(name, _) => (name, Life::Loaded, Life::Leaving),
            Happened::Closed(name) => (name, Life::Leaving, Life::Out),
            Happened::Committed(..) | Happened::Deleted(_) => continue,
        };
        let life = lives.entry(name.to_string()).or_default();
        assert_eq!(*life, from, "{step} came in the wrong place of {happened:?}");
        *life = to;
    }
    assert!(lives.values().all(|life| *life == Life::Out), "a store is not closed: {happened:?}");
}

/// The seed of all schedules: one of its own for each run, or what `LARDER_SEED` says.
pub(super) fn seed() -> u64 {
    let given = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

/// How many times as many schedules as usual: `LARDER_SCHEDULES_TIMES`.
pub(super) fn times() -> usize {
    std::env::var("LARDER_SCHEDULES_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Runs so many schedules, half of them random and half with few, well-placed switches; how many ran.
pub(super) fn explore(schedules: usize, seed: u64, race: impl Fn() + Clone + Send + Sync + 'static) -> usize {
    let config = || {
        let mut config = Config::new();
        // SQLite runs on these stacks.
        config.stack_size = 1 << 20;
        config.silence_warnings = true;
        config
    };
    let random = schedules / 2;
    let ran = Runner::new(RandomScheduler::new_from_seed(seed, random), config()).run(race.clone());
    ran + Runner::new(PctScheduler::new_from_seed(seed, 3, schedules - random), config()).run(race)
}
