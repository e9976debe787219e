//! Stores whose loads a test holds up, fails or watches, and a registry on a clock that stands still.

use std::{
    collections::HashMap,
    ops::Deref,
    path::Path,
    sync::{Arc, Condvar, LazyLock, Mutex},
    time::Duration,
};

use larder::{
    BoxError, BoxFuture, RegistryBuilder, StoreStats,
    prelude::*,
    testing::{ManualClock, TestRegistry},
};
use tokio::sync::Semaphore;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "notes")]
pub(crate) struct Note {
    #[table(primary_key)]
    pub(crate) number: i64,
    pub(crate) text: String,
}

#[derive(Event, Clone, Debug, PartialEq)]
pub(crate) enum NoteEvent {
    #[event(name = "v1.NoteWritten")]
    Written { number: i64, text: String },
}

pub(crate) fn written(number: i64) -> NoteEvent {
    NoteEvent::Written { number, text: format!("note {number}") }
}

#[derive(StoreSchema)]
#[schema(events = NoteEvent, tables(Note), version = 1)]
pub(crate) struct NoteSchema;

#[larder::materializer]
impl Materializer for NoteSchema {
    fn materialize(event: &NoteEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            NoteEvent::Written { number, text } => tables.insert(Note { number: *number, text: text.clone() }),
        }
    }
}

larder::define_store! {
    /// Notes, with all defaults.
    pub(crate) NoteStore {
        name: "note",
        schema: NoteSchema,
        adapter: SqliteAdapter::persisted(),
    }
}

larder::define_store! {
    /// Notes that stay for five minutes.
    pub(crate) PatientStore {
        name: "patient",
        schema: NoteSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::minutes(5),
    }
}

larder::define_store! {
    /// Notes whose load does what the test has said for their id.
    pub(crate) HookedStore {
        name: "hooked",
        schema: NoteSchema,
        adapter: SqliteAdapter::persisted(),
        on_load: hook,
    }
}

larder::define_store! {
    /// The one store of an app.
    pub(crate) AppStore {
        name: "app",
        singleton: "app-root",
        schema: NoteSchema,
        adapter: SqliteAdapter::persisted(),
    }
}

/// What the load of a [`HookedStore`] does.
#[derive(Clone)]
pub(crate) enum Hook {
    /// Waits until the test lets it go on.
    Hold(Arc<Semaphore>),
    /// Fails.
    Fail,
    /// Panics.
    Panic,
    /// Gets other hooked stores and keeps them.
    Children(Vec<String>),
    /// Counts.
    Count(Arc<Mutex<Vec<String>>>),
    /// Does what the test says.
    Run(Arc<Run>),
    /// Does what the test says, and waits for it.
    Wait(Arc<Wait>),
}

/// What a test does during a load.
type Run = dyn Fn(&Store<HookedStore>, &LoadContext) + Send + Sync;

/// What a test does during a load, in a future.
type Wait = dyn Fn(&Store<HookedStore>, LoadContext) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync;

static HOOKS: LazyLock<Mutex<HashMap<String, Hook>>> = LazyLock::new(Mutex::default);

/// Says what the load of a store does. Tests run at the same time, so each has ids of its own.
pub(crate) fn on_load(id: &str, hook: Hook) {
    HOOKS.lock().unwrap().insert(id.to_owned(), hook);
}

/// Holds the loads of a store until a permit is added.
pub(crate) fn hold(id: &str) -> Arc<Semaphore> {
    let gate = Arc::new(Semaphore::new(0));
    on_load(id, Hook::Hold(Arc::clone(&gate)));
    gate
}

/// Says what the load of a store does, by what is called with it.
pub(crate) fn on_load_run(id: &str, run: impl Fn(&Store<HookedStore>, &LoadContext) + Send + Sync + 'static) {
    on_load(id, Hook::Run(Arc::new(run)));
}

/// Says what the load of a store does, and how it ends, by a future that is made for it.
pub(crate) fn on_load_wait(
    id: &str,
    wait: impl Fn(&Store<HookedStore>, LoadContext) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync + 'static,
) {
    on_load(id, Hook::Wait(Arc::new(wait)));
}

async fn hook(store: &Store<HookedStore>, context: LoadContext) -> Result<(), BoxError> {
    let hook = HOOKS.lock().unwrap().get(store.id().as_str()).cloned();
    match hook {
        None => Ok(()),
        Some(Hook::Hold(gate)) => {
            gate.acquire().await?.forget();
            Ok(())
        }
        Some(Hook::Fail) => Err("the hook says no".into()),
        Some(Hook::Panic) => panic!("the hook panics"),
        Some(Hook::Count(calls)) => {
            calls.lock().unwrap().push(store.id().to_string());
            Ok(())
        }
        Some(Hook::Run(run)) => {
            run(store, &context);
            Ok(())
        }
        Some(Hook::Wait(wait)) => wait(store, context).await,
        Some(Hook::Children(children)) => {
            for child in children {
                context.keep(context.registry().get::<HookedStore>(child).await?);
            }
            Ok(())
        }
    }
}

/// A registry of the system's time over a data dir.
pub(crate) fn registry(dir: &Path) -> StoreRegistry {
    StoreRegistry::builder().data_dir(dir).build().unwrap()
}

/// A registry on a clock that stands still, with shorthands.
pub(crate) struct Bench(TestRegistry);

/// Data that nobody looks for: in memory, or in files when [`IN_FILES`] says so.
pub(crate) fn anywhere(builder: RegistryBuilder) -> RegistryBuilder {
    match std::env::var_os(IN_FILES) {
        Some(folder) => builder.data_dir(tempfile::tempdir_in(folder).unwrap().keep()),
        None => builder.in_memory(),
    }
}

/// The variable of the environment that names the folder.
pub(crate) const IN_FILES: &str = "LARDER_TESTS_IN_FILES";

impl Deref for Bench {
    type Target = TestRegistry;

    fn deref(&self) -> &TestRegistry {
        &self.0
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(anywhere)
    }

    pub(crate) fn with(change: impl FnOnce(RegistryBuilder) -> RegistryBuilder) -> Self {
        Self(TestRegistry::build(change(StoreRegistry::builder())).unwrap())
    }

    pub(crate) async fn advance(&self, seconds: u64) {
        self.0.advance(Duration::from_secs(seconds)).await;
    }

    /// The registry itself, without clock and log.
    pub(crate) fn registry(&self) -> &StoreRegistry {
        &self.0
    }

    pub(crate) fn into_parts(self) -> (ManualClock, StoreRegistry) {
        (self.clock().clone(), self.registry().clone())
    }

    pub(crate) fn stats_of(&self, definition: &str, id: &str) -> StoreStats {
        self.store(definition, id).unwrap_or_else(|| panic!("no store {definition}/{id}"))
    }

    pub(crate) fn deadline(&self, definition: &str, id: &str) -> Option<u64> {
        self.stats_of(definition, id).gc_deadline.map(|left| left.as_secs())
    }
}

/// Polls a future once.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(future).poll(&mut context)
}

/// Lets tasks and threads go on until it is so, without any time of the registry's clock.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1_000_000 {
        if is_so() {
            return;
        }
        std::thread::yield_now();
        tokio::task::yield_now().await;
    }
    panic!("never: {what}");
}

/// Many threads that a test holds up where they come by, and lets go together.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<(usize, bool)>, Condvar)>);

impl Gate {
    /// Waits until the gate is open.
    pub(crate) fn pass(&self) {
        let (state, opened) = &*self.0;
        let mut state = state.lock().unwrap();
        state.0 += 1;
        drop(opened.wait_while(state, |(_, open)| !*open).unwrap());
    }

    /// How many have come by.
    pub(crate) fn came(&self) -> usize {
        self.0.0.lock().unwrap().0
    }

    pub(crate) fn open(&self) {
        let (state, opened) = &*self.0;
        state.lock().unwrap().1 = true;
        opened.notify_all();
    }
}

/// A thread that reads a store, and so keeps its file open, until it is let go.
pub(crate) struct Reading {
    go: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Reading {
    pub(crate) fn begin<D: larder::StoreDefinition>(store: StoreHandle<D>) -> Self {
        let (began, begins) = std::sync::mpsc::channel();
        let (go, gone) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let read = store.read(|_| {
                began.send(()).unwrap();
                gone.recv().unwrap();
                Ok(())
            });
            // The store may have been taken away meanwhile.
            drop(read);
        });
        begins.recv().unwrap();
        Self { go, thread }
    }

    pub(crate) fn end(self) {
        self.go.send(()).unwrap();
        self.thread.join().unwrap();
    }
}
