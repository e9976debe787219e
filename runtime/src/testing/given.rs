//! Given events, when another is committed, then a query answers: tests of materializers without files, registries or async.

use std::{fmt::Debug, sync::Arc};

use tokio_util::sync::CancellationToken;

use crate::{
    clock::Runtime,
    definition::{EventOf, StoreDefinition},
    error::{CommitError, LoadError},
    event::{ClientId, SessionId},
    id::StoreId,
    options::{Layers, StoreOptions},
    query::{Fits, Query},
    schema::SchemaModel,
    storage::{identity::Client, sqlite::Place},
    store::{Engine, IntoEvents, NoHost, OpenRequest, ReaderPool, Store, StoreName},
};

/// A store in memory with these events committed, one after the other. Its `on_load` does not run.
///
/// ```
/// use larder::{prelude::*, testing::given};
///
/// #[derive(Table, Clone, Debug, PartialEq)]
/// #[table(name = "counters")]
/// struct Counter {
///     #[table(primary_key)]
///     name: String,
///     value: i64,
/// }
///
/// #[derive(Event, Clone, Debug, PartialEq)]
/// enum CounterEvent {
///     #[event(name = "v1.Counted")]
///     Counted { name: String, to: i64 },
/// }
///
/// #[derive(StoreSchema)]
/// #[schema(events = CounterEvent, tables(Counter), version = 1)]
/// struct CounterSchema;
///
/// #[larder::materializer]
/// impl Materializer for CounterSchema {
///     fn materialize(event: &CounterEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
///         match event {
///             CounterEvent::Counted { name, to } => tables.upsert(Counter { name: name.clone(), value: *to }),
///         }
///     }
/// }
///
/// define_store! {
///     /// Counters.
///     CounterStore { name: "counter", schema: CounterSchema, adapter: SqliteAdapter::persisted() }
/// }
///
/// let counted = |to| CounterEvent::Counted { name: "clicks".into(), to };
/// given::<CounterStore>([counted(1), counted(2)])
///     .when(counted(3))
///     .then(Counter::by_key("clicks"), Some(Counter { name: "clicks".into(), value: 3 }));
/// # // `rustdoc` puts all of this into `main`.
/// ```
///
/// # Panics
/// When the schema is not valid, or one of the events cannot be committed.
#[track_caller]
pub fn given<D: StoreDefinition>(events: impl IntoIterator<Item = EventOf<D>>) -> Given<D> {
    let store = match open::<D>() {
        Ok(store) => store,
        Err(error) => panic!("the store cannot be opened: {error}"),
    };
    for event in events {
        if let Err(error) = store.commit(vec![event]) {
            panic!("a given event cannot be committed: {error}");
        }
    }
    Given { store }
}

/// A store in memory that a test has given events.
pub struct Given<D> {
    store: Store<D>,
}

impl<D: StoreDefinition> Given<D> {
    /// Commits what is tested.
    pub fn when(self, events: impl IntoEvents<D, EventOf<D>>) -> When<D> {
        let outcome = self.store.commit(events).map(drop);
        When { store: self.store, outcome }
    }

    /// The store.
    pub fn store(&self) -> &Store<D> {
        &self.store
    }
}

/// A store in memory after what is tested was committed, or was not.
pub struct When<D: StoreDefinition> {
    store: Store<D>,
    outcome: Result<(), CommitError<EventOf<D>>>,
}

impl<D: StoreDefinition> When<D> {
    /// The commit succeeded, and the query answers this. May be called again for another query.
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    pub fn then<Q>(self, query: Q, expected: Q::Output) -> Self
    where
        Q: Query + Fits<D>,
        Q::Output: Debug + PartialEq,
    {
        if let Err(error) = &self.outcome {
            panic!("the commit failed: {error}");
        }
        match self.store.query(query) {
            Ok(found) => assert_eq!(found, expected, "the query answers something else (left) than expected (right)"),
            Err(error) => panic!("the query failed: {error}"),
        }
        self
    }

    /// The commit failed with a message that holds this text, and changed nothing.
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    pub fn then_fails(self, text: &str) -> Given<D> {
        match &self.outcome {
            Ok(()) => panic!("the commit succeeded, and was expected to fail with `{text}`"),
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains(text), "the commit failed with `{message}`, expected was `{text}`");
            }
        }
        Given { store: self.store }
    }

    /// The store.
    pub fn store(&self) -> &Store<D> {
        &self.store
    }
}

fn open<D: StoreDefinition>() -> Result<Store<D>, LoadError> {
    let id = D::NAME.parse::<StoreId>().map_err(|source| LoadError::Id { definition: D::NAME, source })?;
    let definition = D::__options();
    let none = StoreOptions::default();
    let options = Layers { registry: &none, definition: &definition, call: &none }.resolve();
    let (engine, _) = Engine::open(OpenRequest {
        model: SchemaModel::of::<D>()?,
        name: StoreName::new(D::NAME, id),
        place: Place::Memory,
        create: true,
        options: options.into(),
        client: Client::new(ClientId::from("given")).into(),
        session_id: SessionId::from("given"),
        readers: Arc::new(ReaderPool::new(0)),
        runtime: Runtime::private().map_err(|reason| LoadError::Runtime { reason })?,
        cancel: CancellationToken::new(),
        progress: Arc::new(|_| {}),
        host: Arc::new(NoHost),
    })?;
    Ok(Store::new(engine))
}
