//! What a registry and its stores are doing: for inspectors and tests.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;

use super::{entry::Phase, kind::AnyLoaded, shared::Shared, watch::Signals};
use crate::{clock::Tick, event::ClientId, event::SessionId, store::StoreName};

/// What a registry and its stores are doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistryStats {
    /// Every store that the registry knows of, by definition and id.
    pub stores: Vec<StoreStats>,
    /// How many stores may be loaded at once.
    pub capacity: usize,
    /// How often a loaded store was asked for.
    pub hits: u64,
    /// How many loads began.
    pub loads: u64,
    /// How many loaded stores left, for whatever reason.
    pub evictions: u64,
    /// Who commits.
    pub client_id: ClientId,
    /// In which session: one per process.
    pub session_id: SessionId,
}

/// What one store is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// Which store.
    pub name: StoreName,
    /// Where it is in its life.
    pub state: StoreState,
    /// Handles, streams and waiters.
    pub observers: usize,
    /// When it will be closed, from now; `None` while it is observed, or when its gc time is [`GcTime::NEVER`](crate::GcTime::NEVER).
    pub gc_deadline: Option<Duration>,
    /// Events in its log; 0 unless it is loaded.
    pub events: u64,
    /// Bytes of its file; 0 unless it is loaded, and in memory.
    pub bytes: u64,
    /// Commits that wait for the one in progress; they share the next transaction.
    pub waiting_commits: usize,
    /// How its sync stands.
    pub sync: StoreSync,
}

/// Where a store is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreState {
    /// Somebody waits for it.
    Loading,
    /// Loaded and observed.
    Active,
    /// Loaded without observers; its clock runs.
    Inactive,
    /// Its file is being closed.
    Closing,
}

/// How a store's sync stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreSync {
    /// The store has no backend, or is not loaded.
    None,
    /// Its backend can be reached.
    Connected {
        /// Events that the backend does not have.
        unsent: u64,
    },
    /// Its backend cannot be reached.
    Disconnected {
        /// Events that the backend does not have.
        unsent: u64,
    },
}

impl RegistryStats {
    /// One store, by definition name and id.
    pub fn store(&self, definition: &str, id: &str) -> Option<&StoreStats> {
        self.stores.iter().find(|store| store.name.definition() == definition && store.name.id().as_str() == id)
    }

    /// How many stores are in this state.
    pub fn count(&self, state: StoreState) -> usize {
        self.stores.iter().filter(|store| store.state == state).count()
    }
}

/// What the lock gives; files and backends are asked without it.
struct Seen {
    name: StoreName,
    phase: Phase,
    waiters: usize,
    loaded: Option<Arc<dyn AnyLoaded>>,
}

impl Shared {
    pub(super) fn stats(&self) -> RegistryStats {
        let now = self.runtime.now();
        let (seen, capacity, counters) = {
            let state = self.lock();
            let seen: Vec<Seen> = state
                .slots
                .iter()
                .map(|(_, slot)| Seen {
                    name: slot.name.clone(),
                    phase: slot.entry.phase(),
                    waiters: slot.entry.waiters(),
                    loaded: slot.loaded.clone(),
                })
                .collect();
            (seen, state.capacity.limit(), state.counters)
        };
        let mut stores: Vec<StoreStats> = seen.into_iter().map(|seen| seen.stats(now)).collect();
        stores.sort_by(|one, two| one.name.cmp(&two.name));
        RegistryStats {
            stores,
            capacity,
            hits: counters.hits,
            loads: counters.loads,
            evictions: counters.evictions,
            client_id: self.client.id.clone(),
            session_id: self.session_id.clone(),
        }
    }
}

impl Seen {
    fn stats(self, now: Tick) -> StoreStats {
        let state = match self.phase {
            Phase::Queued | Phase::Loading => StoreState::Loading,
            Phase::Active => StoreState::Active,
            Phase::Inactive { .. } => StoreState::Inactive,
            Phase::Closing => StoreState::Closing,
        };
        let gc_deadline = match self.phase {
            Phase::Inactive { deadline, .. } if deadline != Tick::NEVER => Some(deadline.since(now)),
            _ => None,
        };
        let core = self.loaded.as_ref().map(|loaded| loaded.core());
        let engine = core.map(|core| core.engine.stats());
        let sync = match core.and_then(|core| core.backend()) {
            None => StoreSync::None,
            Some(backend) => {
                let unsent = engine.map_or(0, |engine| engine.unsent);
                let is_offline = core.is_some_and(|core| core.network.is_offline());
                match !is_offline && backend.connected() {
                    true => StoreSync::Connected { unsent },
                    false => StoreSync::Disconnected { unsent },
                }
            }
        };
        StoreStats {
            state,
            observers: self.waiters + core.map_or(0, super::handle::Core::observers),
            gc_deadline,
            events: engine.map_or(0, |engine| engine.events),
            bytes: engine.map_or(0, |engine| engine.bytes),
            waiting_commits: core.map_or(0, |core| core.engine.waiting_commits()),
            sync,
            name: self.name,
        }
    }
}

/// A registry's stats as a stream: the current ones, then again after changes. Changes between two looks are one.
pub struct RegistryWatch {
    shared: Weak<Shared>,
    signals: Arc<Signals>,
    seen: Option<u64>,
}

impl RegistryWatch {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        shared.signals.enter();
        Self { shared: Arc::downgrade(shared), signals: Arc::clone(&shared.signals), seen: None }
    }

    /// The next stats; `None` once the registry is gone.
    pub async fn next(&mut self) -> Option<RegistryStats> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for RegistryWatch {
    type Item = RegistryStats;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<RegistryStats>> {
        let version = self.signals.version(self.seen, context.waker());
        let Some(shared) = self.shared.upgrade().filter(|shared| !shared.is_over()) else { return Poll::Ready(None) };
        if self.seen == Some(version) {
            return Poll::Pending;
        }
        self.seen = Some(version);
        Poll::Ready(Some(shared.stats()))
    }
}

impl Drop for RegistryWatch {
    fn drop(&mut self) {
        self.signals.leave();
    }
}

impl fmt::Debug for RegistryWatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RegistryWatch").finish_non_exhaustive()
    }
}
