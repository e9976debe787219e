//! How a registry stands to the network.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::select;
use tokio::sync::watch;

/// Whether a registry's stores sync, and which backends can be reached, from [`StoreRegistry::network`](crate::StoreRegistry::network). Cheap
/// to clone. How a single store stands is in its [`SyncStatus`](crate::SyncStatus).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let registry = larder::StoreRegistry::builder().in_memory().build()?;
/// let network = registry.network();
/// let watched = network.clone();
/// let showing = async move {
///     loop {
///         let changed = watched.changed();
///         println!("{}", if watched.is_connected() { "in sync" } else { "offline: your changes are kept" });
///         changed.await;
///     }
/// };
/// network.set_offline(true);
/// assert!(!network.is_connected());
/// # drop(showing);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct NetworkStatus {
    offline: Arc<watch::Sender<bool>>,
    connections: Arc<watch::Sender<Connections>>,
}

/// One for each backend that somebody looks after, once it was looked at. Two may have one name.
type Connections = BTreeMap<u64, Option<BackendConnection>>;

/// A backend that a registry has stores or events for, and whether it can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackendConnection {
    /// Its [`identity`](crate::SyncBackend::identity): its address.
    pub identity: String,
    /// Whether it can be reached, as far as that was tried, and true before the first try: never while the registry is off the network.
    pub connected: bool,
}

impl Default for NetworkStatus {
    fn default() -> Self {
        Self { offline: Arc::new(watch::Sender::new(false)), connections: Arc::default() }
    }
}

impl NetworkStatus {
    /// Takes all stores of the registry off the network, or lets them on it again. What is on its way is dropped, as by a connection that
    /// is cut; commits go on and stay pending. The connection itself may belong to other registries, too: where nobody asks anything on it any
    /// more, it says in up to 40 s that it is there, and is closed.
    pub fn set_offline(&self, offline: bool) {
        self.offline.send_if_modified(|now| std::mem::replace(now, offline) != offline);
    }

    /// Whether [`set_offline`](Self::set_offline) has taken the stores off the network.
    pub fn is_offline(&self) -> bool {
        *self.offline.borrow()
    }

    /// Whether all backends that the registry has stores or events for can be reached, as far as that was tried; not before there is one.
    pub fn is_connected(&self) -> bool {
        let connections = self.connections();
        !self.is_offline() && !connections.is_empty() && connections.iter().all(|connection| connection.connected)
    }

    /// The backends that the registry has stores or events for, by their names.
    pub fn connections(&self) -> Vec<BackendConnection> {
        let mut all: Vec<_> = self.connections.borrow().values().flatten().cloned().collect();
        all.sort_by(|one, other| one.identity.cmp(&other.identity));
        all
    }

    /// Resolves when any of this changes after the call.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let (switched, mut connections) = (self.switched(), self.connections.subscribe());
        async move {
            select(std::pin::pin!(switched), std::pin::pin!(connections.changed())).await;
        }
    }

    /// Resolves when [`is_offline`](Self::is_offline) changes after the call.
    pub(crate) fn switched(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut offline = self.offline.subscribe();
        async move {
            let _ = offline.changed().await;
        }
    }

    /// For whoever looks after a backend.
    pub(crate) fn note(&self) -> ConnectionNote {
        let mut key = 0;
        self.connections.send_if_modified(|connections| {
            key = connections.last_key_value().map_or(0, |(last, _)| last + 1);
            connections.insert(key, None);
            false
        });
        ConnectionNote { connections: Arc::clone(&self.connections), key }
    }
}

/// That somebody looks after a backend, until it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionNote {
    connections: Arc<watch::Sender<Connections>>,
    key: u64,
}

impl ConnectionNote {
    /// It can be reached, or not.
    pub(crate) fn is(&self, connected: bool, identity: &str) {
        self.connections.send_if_modified(|connections| match connections.entry(self.key).or_default() {
            Some(known) => std::mem::replace(&mut known.connected, connected) != connected,
            new => {
                *new = Some(BackendConnection { identity: identity.to_owned(), connected });
                true
            }
        });
    }
}

impl Drop for ConnectionNote {
    fn drop(&mut self) {
        self.connections.send_if_modified(|connections| connections.remove(&self.key).flatten().is_some());
    }
}
