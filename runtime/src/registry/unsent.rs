//! Rule 13: a store with unsent events counts as observed while its backend is connected; one that was closed with unsent events is
//! opened again to send them.

use std::{
    sync::{Arc, PoisonError, Weak},
    time::Duration,
};

use futures_util::future::{Either, select};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    entry::Phase,
    get::Wait,
    handle::{Hold, LoadRef},
    kind::{AnyLoaded, Kind},
    shared::{Call, Shared},
    state::Action,
};
use crate::{
    error::BoxError,
    options::{GcTime, StoreOptions},
    primitives::Mutex,
    sync::{PushRequest, SyncBackend},
};

/// How many closed stores are opened to send at the same time.
const OPENED_TO_SEND: usize = 4;
/// Events of one push.
const BATCH: usize = 100;
/// Between two tries of a push that failed while the backend says that it is connected.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Whose connection is watched, and whose closed stores are looked at.
pub(super) struct Unsent {
    backends: Mutex<Vec<Arc<dyn SyncBackend>>>,
    kinds: Mutex<Vec<&'static Kind>>,
    opened: Arc<Semaphore>,
    /// Cancelled when the registry is dropped or shut down.
    over: CancellationToken,
}

impl Default for Unsent {
    fn default() -> Self {
        Self {
            backends: Mutex::default(),
            kinds: Mutex::default(),
            opened: Arc::new(Semaphore::new(OPENED_TO_SEND)),
            over: CancellationToken::new(),
        }
    }
}

impl Unsent {
    pub(super) fn stop(&self) {
        self.over.cancel();
    }
}

impl Shared {
    /// A definition is used for the first time: its closed stores may have events to send.
    pub(super) fn know(self: &Arc<Self>, kind: &'static Kind, definition: &StoreOptions) {
        let backend = definition.sync.clone().or_else(|| self.lock().defaults.sync.clone());
        let Some(backend) = backend else { return };
        let new = {
            let mut kinds = self.unsent.kinds.lock().unwrap_or_else(PoisonError::into_inner);
            let new = !kinds.iter().any(|known| known.type_id == kind.type_id);
            if new {
                kinds.push(kind);
            }
            new
        };
        if new {
            self.watch(&backend);
            if backend.connected() {
                self.send_closed(kind);
            }
        }
    }

    /// A store with a backend is loaded.
    pub(super) fn watch_backend(self: &Arc<Self>, loaded: &Arc<dyn AnyLoaded>) {
        if let Some(backend) = loaded.core().backend() {
            self.watch(backend);
        }
    }

    /// One task per backend waits for its connection to change.
    fn watch(self: &Arc<Self>, backend: &Arc<dyn SyncBackend>) {
        let mut backends = self.unsent.backends.lock().unwrap_or_else(PoisonError::into_inner);
        if backends.iter().any(|known| Arc::ptr_eq(known, backend)) {
            return;
        }
        backends.push(Arc::clone(backend));
        drop(backends);
        let (backend, registry, over) = (Arc::clone(backend), Arc::downgrade(self), self.unsent.over.clone());
        self.runtime.spawn(async move {
            loop {
                let changed = backend.connection_changed();
                // What changed before this future was made is seen by looking once more.
                let Some(shared) = registry.upgrade() else { return };
                shared.connection_is(&backend, backend.connected());
                drop(shared);
                let ended = std::pin::pin!(over.cancelled());
                if let Either::Right(_) = select(changed, ended).await {
                    return;
                }
            }
        });
    }

    fn connection_is(self: &Arc<Self>, backend: &Arc<dyn SyncBackend>, connected: bool) {
        let loaded = self.with_backend(backend);
        if !connected {
            loaded.iter().for_each(|loaded| self.unpin(loaded));
            return;
        }
        for loaded in loaded.into_iter().filter(|loaded| loaded.core().engine.stats().unsent > 0) {
            self.pin(loaded.core().load);
        }
        let kinds = self.unsent.kinds.lock().unwrap_or_else(PoisonError::into_inner).clone();
        kinds.into_iter().for_each(|kind| self.send_closed(kind));
    }

    fn with_backend(&self, backend: &Arc<dyn SyncBackend>) -> Vec<Arc<dyn AnyLoaded>> {
        let state = self.lock();
        let loaded = state.slots.iter().filter_map(|(_, slot)| slot.loaded.clone());
        loaded.filter(|loaded| loaded.core().backend().is_some_and(|own| Arc::ptr_eq(own, backend))).collect()
    }

    /// The registry itself becomes an observer of a loaded store, until what is unsent is sent.
    fn pin(self: &Arc<Self>, load: LoadRef) {
        self.with(|state, actions| {
            let idle = state
                .slots
                .of(load)
                .is_some_and(|slot| !slot.pinned && matches!(slot.entry.phase(), Phase::Inactive { .. }));
            // An observed store is pinned when its last observer leaves.
            if idle && let Some(Ok(loaded)) = state.join(load.slot, None) {
                if let Some(slot) = state.slots.of(load) {
                    slot.pinned = true;
                }
                actions.push(Action::Push(loaded));
            }
        });
    }

    fn unpin(self: &Arc<Self>, loaded: &Arc<dyn AnyLoaded>) {
        let pinned = {
            let mut state = self.lock();
            state.slots.of(loaded.core().load).is_some_and(|slot| std::mem::take(&mut slot.pinned))
        };
        if pinned {
            drop(Hold::counted(Arc::clone(loaded)));
        }
    }

    /// Sends what a pinned store has not sent, and lets go of it.
    pub(super) fn push_in_background(self: &Arc<Self>, loaded: Arc<dyn AnyLoaded>) {
        let (shared, over) = (Arc::downgrade(self), self.unsent.over.clone());
        self.runtime.spawn(async move {
            let sending = std::pin::pin!(send_until_sent(&shared, &loaded));
            let ended = std::pin::pin!(over.cancelled());
            select(sending, ended).await;
            if let Some(shared) = shared.upgrade() {
                shared.unpin(&loaded);
            }
        });
    }

    /// Opens the closed stores of a definition that have unsent events, or may have, one after the other, a few at a time.
    fn send_closed(self: &Arc<Self>, kind: &'static Kind) {
        if self.layout.is_none() {
            return;
        }
        let registry = Arc::downgrade(self);
        self.runtime.spawn(async move {
            let Some(shared) = registry.upgrade() else { return };
            let reading = Arc::clone(&shared);
            let found = shared.runtime.spawn_blocking(move || reading.catalog.unsent(kind.name)).await;
            drop(shared);
            for entry in found.ok().and_then(Result::ok).unwrap_or_default() {
                let Some(shared) = registry.upgrade() else { return };
                let Ok(permit) = Arc::clone(&shared.unsent.opened).acquire_owned().await else { return };
                if shared.lock().shut_down {
                    return;
                }
                let sending = send_one(Arc::downgrade(&shared), kind, entry.id);
                shared.runtime.spawn(async move {
                    sending.await;
                    drop(permit);
                });
            }
        });
    }
}

/// Opens one closed store without `on_load`, sends, and closes it.
async fn send_one(registry: Weak<Shared>, kind: &'static Kind, id: crate::id::StoreId) {
    let Some(shared) = registry.upgrade() else { return };
    if shared.lock().slots.find(kind.type_id, &id).is_some() {
        // It is open, so it is not one of the closed.
        return;
    }
    let mut wait = Wait::new(&shared, None, kind, Ok(id));
    *wait.call() =
        Call { options: StoreOptions::new().gc_time(GcTime::ZERO), without_on_load: true, ..Call::default() };
    drop(shared);
    match std::future::poll_fn(|context| wait.poll(context)).await {
        Err(error) => tracing::warn!(%error, "a store with unsent events cannot be opened"),
        Ok(loaded) => {
            let hold = Hold::counted(Arc::clone(&loaded));
            if let Err(error) = send_all(&loaded).await {
                tracing::debug!(store = %loaded.core().name(), %error, "unsent events stay unsent");
            }
            drop(hold);
        }
    }
}

async fn send_until_sent(registry: &Weak<Shared>, loaded: &Arc<dyn AnyLoaded>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let Err(error) = send_all(loaded).await else { return };
        let Some(shared) = registry.upgrade() else { return };
        if !loaded.core().has_to_send() || !shared.lock().slots.of(loaded.core().load).is_some_and(|slot| slot.pinned) {
            return;
        }
        tracing::debug!(store = %loaded.core().name(), %error, "a push failed");
        let sleep = shared.runtime.sleep(pause);
        drop(shared);
        sleep.await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Sends all that a store has not sent.
pub(super) async fn send_all(loaded: &Arc<dyn AnyLoaded>) -> Result<(), BoxError> {
    let core = loaded.core();
    let Some(backend) = core.backend() else { return Ok(()) };
    let (runtime, sync_id) = (&core.runtime, &core.sync_id);
    loop {
        let reading = Arc::clone(&core.engine);
        let unsent =
            runtime.spawn_blocking(move || reading.unsent(BATCH)).await.map_err(|panic| panic.into_message())??;
        let Some(last) = unsent.events.last() else { return Ok(()) };
        let global = last.number.global();
        let payload = core.engine.payload();
        let request =
            PushRequest { sync_id, expected_head: unsent.expected_head, events: &unsent.events, payload: &payload };
        backend.push(request).await?;
        let noting = Arc::clone(&core.engine);
        runtime.spawn_blocking(move || noting.confirm(global)).await.map_err(|panic| panic.into_message())??;
    }
}
