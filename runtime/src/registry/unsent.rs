//! Rule 13: a store with unsent events counts as observed while its backend is connected; one that was closed with unsent events is
//! opened again to send them.

mod accepted;
mod closed;
mod compared;
mod connect;
mod exchange;
mod first;
mod gathered;
mod live;
mod push;

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, PoisonError, Weak},
};

use futures_util::{FutureExt, future::select};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

pub(super) use self::{accepted::Sent, first::first_sync, push::send_with_patience};
use self::{
    connect::{Attempts, connect},
    exchange::refused,
    live::{LONG, keep_in_sync, until_sent},
};
use super::{
    entry::Phase,
    handle::{Hold, LoadRef},
    kind::{AnyLoaded, Kind},
    shared::Shared,
    slot::Slot,
    state::{Action, State},
};
use crate::{
    clock::Panicked,
    error::SyncError,
    options::StoreOptions,
    primitives::Mutex,
    sync::{BackendError, ConnectionNote, SyncBackend, SyncPhase, processor::Pauses},
};

/// How many closed stores are opened to send at the same time, over all backends.
const OPENED_TO_SEND: usize = 4;

/// That the registry itself observes a loaded store; cancelled when it does not any more.
pub(super) type Pin = Arc<CancellationToken>;

/// Whose connection is watched, and whose closed stores are looked at.
pub(super) struct Unsent {
    watched: Mutex<Vec<Watched>>,
    /// Backends of definitions and of the registry: closed stores are sent to them, so they stay. Those of a call belong to the caller.
    kept: Mutex<Vec<Arc<dyn SyncBackend>>>,
    kinds: Mutex<Vec<&'static Kind>>,
    opened: Arc<Semaphore>,
    /// Cancelled when the registry is dropped or shut down.
    over: CancellationToken,
}

/// A backend whose connection one task watches.
struct Watched {
    backend: Weak<dyn SyncBackend>,
    /// Says that closed stores may have something new to send.
    again: Arc<Notify>,
    /// Says that a store was loaded.
    news: Arc<Notify>,
    /// Why the last try to connect failed; none since there was a connection.
    not_reached: Option<BackendError>,
    /// Ends the task.
    over: CancellationToken,
}

impl Watched {
    fn is_of(&self, backend: &Arc<dyn SyncBackend>) -> bool {
        std::ptr::addr_eq(self.backend.as_ptr(), Arc::as_ptr(backend))
    }
}

impl Default for Unsent {
    fn default() -> Self {
        Self {
            watched: Mutex::default(),
            kept: Mutex::default(),
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

    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    fn kinds(&self) -> Vec<&'static Kind> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    /// A definition is used for the first time: its closed stores may have events to send.
    pub(super) fn know(self: &Arc<Self>, kind: &'static Kind, definition: &StoreOptions) {
        let is_new = {
            let mut kinds = self.unsent.kinds.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = !kinds.iter().any(|known| known.type_id == kind.type_id);
            if is_new {
                kinds.push(kind);
            }
            is_new
        };
        if !is_new {
            return;
        }
        let backend = definition.sync.clone().or_else(|| self.lock().defaults.sync.clone());
        if let Some(backend) = backend {
            self.watch(&backend);
            let mut kept = self.unsent.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if !kept.iter().any(|known| Arc::ptr_eq(known, &backend)) {
                kept.push(backend);
            }
        }
        let watched = self.unsent.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.iter().for_each(|watched| watched.again.notify_one());
    }

    /// A store with a backend is loaded.
    pub(super) fn watch_backend(self: &Arc<Self>, loaded: &Arc<dyn AnyLoaded>) {
        if let Some(backend) = loaded.core().backend() {
            self.watch(backend);
            let watched = self.unsent.watched.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(own) = watched.iter().find(|known| known.is_of(backend)) else { return };
            own.news.notify_one();
            let error = own.not_reached.as_ref().map(|error| refused(loaded.core(), error));
            drop(watched);
            if let Some(error) = error {
                not_reached(loaded, error);
            }
        }
    }

    /// A store was closed with unsent events.
    pub(super) fn closed_unsent(&self, backend: &Arc<dyn SyncBackend>) {
        let watched = self.unsent.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let own = watched.iter().find(|known| known.is_of(backend));
        own.inspect(|own| own.again.notify_one());
    }

    /// One task per backend waits for its connection to change. Those of backends that are gone end.
    fn watch(self: &Arc<Self>, backend: &Arc<dyn SyncBackend>) {
        let mut watched = self.unsent.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|known| {
            let alive = known.backend.strong_count() > 0;
            if !alive {
                known.over.cancel();
            }
            alive
        });
        if watched.iter().any(|known| known.is_of(backend)) {
            return;
        }
        let over = self.unsent.over.child_token();
        let (again, news, not_reached) = Default::default();
        let new = Watched { backend: Arc::downgrade(backend), again, news, not_reached, over };
        let (weak, over) = (new.backend.clone(), new.over.clone());
        let (again, news) = (Arc::clone(&new.again), Arc::clone(&new.news));
        watched.push(new);
        drop(watched);
        let watching = watch_one(Arc::downgrade(self), weak, (again, news, self.network.note()));
        self.runtime.spawn(async move {
            over.run_until_cancelled_owned(watching).await;
        });
    }

    fn connection_is(self: &Arc<Self>, backend: &Arc<dyn SyncBackend>, connected: bool) {
        if connected {
            self.last_try(backend, None);
        }
        // Those that load hear it, too: their first sync may be over.
        for loaded in self.with_backend(backend, Slot::open) {
            if !connected {
                loaded.core().engine.note_sync(|notes| notes.phase(SyncPhase::Offline));
                self.unpin(&loaded, None);
            } else if loaded.core().engine.unsent_events() > 0 {
                self.pin(loaded.core().load);
            }
        }
    }

    /// Tells all that sync with a backend why it cannot be reached.
    fn not_reached(&self, backend: &Arc<dyn SyncBackend>, error: BackendError) {
        for loaded in self.with_backend(backend, Slot::open) {
            not_reached(&loaded, refused(loaded.core(), &error));
        }
        // Those that are loaded later are told then.
        self.last_try(backend, Some(error));
        self.signals.changed();
    }

    /// Why the last try to connect failed, or that there is a connection.
    fn last_try(&self, backend: &Arc<dyn SyncBackend>, failed: Option<BackendError>) {
        let mut watched = self.unsent.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = watched.iter_mut().find(|known| known.is_of(backend)) {
            own.not_reached = failed;
        }
    }

    /// The loaded stores of a backend, without those that are open only to be sent.
    fn visible_with_backend(&self, backend: &Arc<dyn SyncBackend>) -> Vec<Arc<dyn AnyLoaded>> {
        self.with_backend(backend, |slot| slot.loaded.clone().filter(|_| !slot.hidden))
    }

    /// The stores of a backend among those that are asked for.
    fn with_backend(
        &self,
        backend: &Arc<dyn SyncBackend>,
        of: fn(&Slot) -> Option<Arc<dyn AnyLoaded>>,
    ) -> Vec<Arc<dyn AnyLoaded>> {
        // Who else has them may let go of them meanwhile, so none is dropped under the lock.
        let mut open: Vec<_> = self.lock().slots.iter().filter_map(|(_, slot)| of(slot)).collect();
        open.retain(|open| open.core().backend().is_some_and(|own| Arc::ptr_eq(own, backend)));
        open
    }

    /// The registry itself becomes an observer of a loaded store that nobody observes, until what is unsent is sent. An observed store is
    /// pinned when its last observer leaves; one that is open only to be sent needs none.
    pub(super) fn pin(self: &Arc<Self>, load: LoadRef) {
        self.with(|state, actions| {
            if state.is_unobserved(load) && state.join(load.slot, None, false).is_some_and(|joined| joined.is_ok()) {
                state.pin(load, actions);
            }
        });
    }

    /// Something was committed, maybe by a call that outlived the last observer.
    pub(super) fn committed(self: &Arc<Self>, load: LoadRef) {
        let loaded = {
            let mut state = self.lock();
            if !state.is_unobserved(load) {
                return;
            }
            state.slots.of(load).and_then(|slot| slot.loaded.clone())
        };
        if loaded.is_some_and(|loaded| loaded.core().has_to_send()) {
            self.pin(load);
        }
    }

    /// The registry observes the store no more; with a pin only if it is still that one.
    fn unpin(self: &Arc<Self>, loaded: &Arc<dyn AnyLoaded>, pin: Option<&Pin>) {
        let pinned = self.lock().slots.of(loaded.core().load).and_then(|slot| {
            let same = |own: &mut Pin| pin.is_none_or(|pin| Arc::ptr_eq(own, pin));
            slot.pinned.take_if(same)
        });
        if let Some(pinned) = pinned {
            pinned.cancel();
            drop(Hold::counted(Arc::clone(loaded)));
        }
    }

    /// Lets go of a pinned store once all is sent, by whoever keeps it in sync.
    pub(super) fn push_in_background(self: &Arc<Self>, loaded: Arc<dyn AnyLoaded>, pin: Pin) {
        let shared = Arc::downgrade(self);
        self.runtime.spawn(async move {
            let sent = pin.run_until_cancelled(until_sent(loaded.core())).await;
            if let (Some(_), Some(shared)) = (sent, shared.upgrade()) {
                shared.unpin(&loaded, Some(&pin));
            }
        });
    }
}

fn not_reached(loaded: &Arc<dyn AnyLoaded>, error: SyncError) {
    loaded.core().engine.note_sync(|notes| notes.failed_with(error, SyncPhase::Offline));
}

impl State {
    /// Whether the load is there to be pinned.
    fn is_unobserved(&mut self, load: LoadRef) -> bool {
        !self.shut_down
            && self
                .slots
                .of(load)
                .is_some_and(|slot| !slot.hidden && matches!(slot.entry.phase(), Phase::Inactive { .. }))
    }

    /// The registry is an observer of the load, counted already.
    pub(super) fn pin(&mut self, load: LoadRef, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.of(load) else { return };
        let pin = Pin::default();
        slot.pinned = Some(Arc::clone(&pin));
        actions.extend(slot.loaded.clone().map(|loaded| Action::Push(loaded, pin)));
    }
}

/// Pins what is loaded and sends what is closed, each time that there is a connection. The backend is the app's code: if it panics, it is
/// asked again later.
async fn watch_one(
    registry: Weak<Shared>,
    backend: Weak<dyn SyncBackend>,
    (again, news, note): (Arc<Notify>, Arc<Notify>, ConnectionNote),
) {
    let (mut pauses, mut attempts) = (Pauses::default(), Attempts::default());
    loop {
        let look =
            AssertUnwindSafe(look_once(&registry, &backend, (&again, &news, &note), &mut attempts)).catch_unwind();
        match look.await {
            Ok(true) => pauses = Pauses::default(),
            Ok(false) => return,
            Err(panic) => {
                let Some(shared) = registry.upgrade() else { return };
                tracing::warn!(message = Panicked::new(panic.as_ref()).into_message(), "a sync backend panicked");
                let pause = shared.runtime.sleep(pauses.next(shared.runtime.jitter()));
                drop(shared);
                pause.await;
            }
        }
    }
}

/// Until the connection comes or goes; `false` when the registry or the backend is gone.
async fn look_once(
    registry: &Weak<Shared>,
    backend: &Weak<dyn SyncBackend>,
    (again, news, note): (&Arc<Notify>, &Notify, &ConnectionNote),
    attempts: &mut Attempts,
) -> bool {
    let (Some(shared), Some(live)) = (registry.upgrade(), backend.upgrade()) else { return false };
    // What changed before this future was made is seen by looking once more.
    let changed = select(live.connection_changed(), Box::pin(shared.network.switched()));
    let offline = shared.network.is_offline();
    let connected = !offline && live.connected();
    note.is(connected, live.identity());
    shared.connection_is(&live, connected);
    // Who watches is told also where nothing follows from it.
    shared.signals.changed();
    let began = shared.runtime.now();
    drop((shared, live));
    if connected {
        let sending = std::pin::pin!(send_closed(registry, backend, again));
        let keeping = std::pin::pin!(keep_in_sync(registry, backend, news));
        select(changed, select(sending, keeping)).await;
        if registry.upgrade().is_some_and(|shared| shared.runtime.now().since(began) >= LONG) {
            *attempts = Attempts::default();
        }
    } else if offline {
        changed.await;
    } else {
        select(changed, std::pin::pin!(connect(registry, backend, attempts))).await;
    }
    true
}

/// Sends what closed stores have not sent, now and whenever there may be something new, until it is dropped.
async fn send_closed(registry: &Weak<Shared>, backend: &Weak<dyn SyncBackend>, again: &Arc<Notify>) {
    let mut pauses = Pauses::default();
    loop {
        // What was said before is found by looking now.
        let _ = again.notified().now_or_never();
        let sent = closed::send(registry, backend, again).await;
        let Some(shared) = registry.upgrade() else { return };
        if sent {
            pauses = Pauses::default();
            drop(shared);
            again.notified().await;
        } else {
            let pause = shared.runtime.sleep(pauses.next(shared.runtime.jitter()));
            drop(shared);
            select(pause, std::pin::pin!(again.notified())).await;
        }
    }
}
