//! Building a registry.

use std::{fmt, path::PathBuf, sync::Arc};

use super::{
    Owner, StoreRegistry,
    capacity::Capacity,
    kind::{Kind, kind},
    shared::{Parts, Shared},
    state::State,
};
use crate::{
    clock::Runtime,
    definition::StoreDefinition,
    error::LoadError,
    event::ClientId,
    options::{Environment, StoreOptions},
    storage::{
        catalog::Catalog,
        identity,
        layout::{Layout, LayoutError},
    },
    telemetry::Recorder,
};

/// Reader connections of all stores together, by default.
const READERS: usize = 16;

/// What a registry is to be; from [`StoreRegistry::builder`].
#[must_use = "a builder does nothing until `build` is called"]
#[derive(Clone)]
pub struct RegistryBuilder {
    data_dir: Option<PathBuf>,
    in_memory: bool,
    defaults: StoreOptions,
    capacity: Option<usize>,
    environment: Environment,
    readers: usize,
    definitions: Vec<&'static Kind>,
    client_id: Option<ClientId>,
    recorder: Option<Recorder>,
    #[cfg(feature = "testing")]
    clock: Option<crate::testing::ManualClock>,
}

impl Default for RegistryBuilder {
    fn default() -> Self {
        Self {
            data_dir: None,
            in_memory: false,
            defaults: StoreOptions::default(),
            capacity: None,
            environment: Environment::default(),
            readers: READERS,
            definitions: Vec::new(),
            client_id: None,
            recorder: None,
            #[cfg(feature = "testing")]
            clock: None,
        }
    }
}

impl RegistryBuilder {
    /// Where stores live; made if it is missing. Not on a network file system.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
        self
    }

    /// Every store lives in memory, whatever its adapter says: for tests, and for previews. Its data is gone when it is closed.
    pub fn in_memory(mut self) -> Self {
        self.in_memory = true;
        self
    }

    /// The registry's layer of the options, below that of definitions and calls.
    pub fn defaults(mut self, defaults: StoreOptions) -> Self {
        self.defaults = defaults;
        self
    }

    /// How many stores may be loaded at once, at least 1. When a further one is asked for, the one that was idle longest is closed;
    /// observed ones never are. By default as many as the limit of open files (`ulimit -n`) allows, where stores in memory do not
    /// count; the limit is known on Linux, elsewhere 256 files are assumed.
    pub fn capacity(mut self, stores: usize) -> Self {
        self.capacity = Some(stores.max(1));
        self
    }

    /// Where the registry runs: on a [`Server`](Environment::Server) stores are never closed for being idle, unless a layer says so.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// How many reader connections all stores keep together, at least 1: 16 by default. A read that finds all in use waits a moment for one,
    /// and opens one more then, which is closed after it.
    pub fn reader_connections(mut self, readers: usize) -> Self {
        self.readers = readers;
        self
    }

    /// A definition that the app has. Events that its closed stores have not sent are sent as soon as the registry is built; for
    /// other definitions that happens when one of their stores is asked for first.
    pub fn definition<D: StoreDefinition>(mut self) -> Self {
        self.definitions.push(kind::<D>());
        self
    }

    /// The client id, instead of that of the data dir.
    pub fn client_id(mut self, client_id: ClientId) -> Self {
        self.client_id = Some(client_id);
        self
    }

    /// The clock of a test.
    #[cfg(feature = "testing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn clock(mut self, clock: &crate::testing::ManualClock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// Notes what happens.
    #[cfg(feature = "testing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn log(mut self, log: &crate::testing::EventLog) -> Self {
        self.recorder = Some(log.recorder());
        self
    }

    /// The registry. Makes the data dir, reads the catalog, and uses the tokio runtime that is current, else one thread of its own.
    ///
    /// # Errors
    /// [`LoadError::DataDir`] when the data dir cannot be used, [`LoadError::DefinitionConflict`] when two of the definitions share a
    /// name, [`LoadError::Runtime`] when the current tokio runtime has no timer.
    pub fn build(self) -> Result<StoreRegistry, LoadError> {
        let runtime = self.runtime().map_err(|reason| LoadError::Runtime { reason })?;
        let unusable = |LayoutError { path, reason }| LoadError::DataDir { path, reason };
        let layout = match self.data_dir.filter(|_| !self.in_memory) {
            Some(path) => Some(Layout::open(&path).map_err(unusable)?),
            None => None,
        };
        let (catalog, client) = match &layout {
            Some(layout) => {
                let client = identity::client(layout).map_err(unusable)?;
                (Catalog::open(layout).map_err(unusable)?, client)
            }
            None => (Catalog::in_memory().map_err(no_memory)?, identity::Client::new(ClientId::random())),
        };
        let client = match self.client_id {
            Some(given) => client.becomes(given),
            None => client,
        };
        let capacity = self.capacity.map_or_else(|| Capacity::of_open_files(self.readers), Capacity::Given);
        let shared = Shared::new(Parts {
            runtime,
            state: State::new(capacity, self.environment, self.defaults),
            catalog,
            layout,
            in_memory: self.in_memory,
            client,
            session_id: identity::session_id(),
            readers: self.readers,
            recorder: self.recorder,
        });
        let registry = StoreRegistry::owner(Arc::new(Owner::new(&shared)));
        for kind in self.definitions {
            shared.lock().claim_name(kind)?;
            shared.know(kind, &(kind.options)());
        }
        Ok(registry)
    }

    #[cfg(feature = "testing")]
    fn runtime(&self) -> Result<Runtime, String> {
        self.clock.as_ref().map_or_else(Runtime::real, crate::testing::ManualClock::runtime)
    }

    #[cfg(not(feature = "testing"))]
    fn runtime(&self) -> Result<Runtime, String> {
        Runtime::real()
    }
}

fn no_memory(error: crate::storage::sqlite::SqliteError) -> LoadError {
    LoadError::DataDir { path: PathBuf::from("the catalog in memory"), reason: format!("{error}; free some memory") }
}

impl fmt::Debug for RegistryBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RegistryBuilder")
            .field("data_dir", &self.data_dir)
            .field("in_memory", &self.in_memory)
            .field("defaults", &self.defaults)
            .field("capacity", &self.capacity)
            .field("environment", &self.environment)
            .field("readers", &self.readers)
            .finish_non_exhaustive()
    }
}
