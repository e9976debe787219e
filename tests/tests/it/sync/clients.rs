//! Clients of one backend in memory, and events that others have pushed.

use std::{ops::Deref, sync::Arc, time::Duration};

use larder::{
    ClientId, Event, EventId, EventNumber, LocalBackend, PushAnswer, PushRequest, RegistryBuilder, SessionId,
    StoreDefinition, StoreHandle, StoreId, StoreOptions, StoredEvent, SyncBackend, prelude::*, testing::TestRegistry,
};

/// The store that all clients share.
pub(crate) const STORE: &str = "book:1";

/// One client: a registry on a clock that stands still, and its connection.
pub(crate) struct Client {
    registry: TestRegistry,
    pub(crate) backend: Arc<LocalBackend>,
    _dir: Option<tempfile::TempDir>,
}

impl Deref for Client {
    type Target = TestRegistry;

    fn deref(&self) -> &TestRegistry {
        &self.registry
    }
}

impl Client {
    pub(crate) fn new(backend: &Arc<LocalBackend>, in_files: bool) -> Self {
        Self::with(backend, in_files, |options| options)
    }

    pub(crate) fn with(
        backend: &Arc<LocalBackend>,
        in_files: bool,
        change: impl FnOnce(StoreOptions) -> StoreOptions,
    ) -> Self {
        let dir = in_files.then(|| tempfile::tempdir().unwrap());
        let builder = StoreRegistry::builder().defaults(change(synced(backend)));
        let builder = match &dir {
            Some(dir) => builder.data_dir(dir.path()),
            None => builder.in_memory(),
        };
        Self::of(backend, builder, dir)
    }

    fn of(backend: &Arc<LocalBackend>, builder: RegistryBuilder, dir: Option<tempfile::TempDir>) -> Self {
        Self { registry: TestRegistry::build(builder).unwrap(), backend: Arc::clone(backend), _dir: dir }
    }

    /// One in files and one in memory, each with a backend of its own that is not connected.
    pub(crate) fn both() -> [Self; 2] {
        [true, false].map(|in_files| {
            let backend = LocalBackend::new("local");
            backend.set_connected(false);
            Self::new(&backend, in_files)
        })
    }

    pub(crate) async fn open<D: StoreDefinition<Id = StoreId>>(&self) -> StoreHandle<D> {
        self.registry.get::<D>(STORE).await.unwrap()
    }

    /// A connection, for as long as anything goes on.
    pub(crate) async fn sync(&self) {
        self.backend.set_connected(true);
        self.advance(Duration::from_secs(40)).await;
    }

    /// The same, and the connection is cut again.
    pub(crate) async fn sync_once(&self) {
        self.sync().await;
        self.backend.set_connected(false);
        self.settle().await;
    }
}

pub(crate) fn synced(backend: &Arc<LocalBackend>) -> StoreOptions {
    StoreOptions::new().sync(Arc::clone(backend) as Arc<dyn SyncBackend>)
}

/// What another client has committed, behind what the backend has.
pub(crate) async fn push_foreign<E: Event>(backend: &LocalBackend, events: &[E]) {
    let texts = events.iter().map(|event| (E::EVENTS[event.index()].name, event.encode().unwrap()));
    push_texts(backend, texts.collect()).await;
}

/// The same by wire name and arguments.
pub(crate) async fn push_texts(backend: &LocalBackend, texts: Vec<(&str, Option<String>)>) {
    let other = backend.another();
    let head = backend.events(STORE).len() as u64;
    let made = texts.into_iter().zip(head + 1..).map(|((name, args), global)| StoredEvent {
        number: EventNumber::synced(global),
        name: name.to_owned(),
        args,
        client_id: ClientId::from("another"),
        session_id: SessionId::from("its session"),
        id: Some(EventId(0xf000_0000 + u128::from(global))),
    });
    let (events, payload) = (made.collect::<Vec<_>>(), larder::Payload::new());
    let pushed = other.push(PushRequest::new(STORE, head, &events, &payload)).await.unwrap();
    assert!(matches!(pushed, PushAnswer::Accepted { .. }), "{pushed:?}");
}

/// The log of a store in the notation of events.
pub(crate) fn log<D: StoreDefinition>(store: &Store<D>) -> String {
    store.log_numbers().unwrap().to_string()
}
