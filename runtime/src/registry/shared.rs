//! What all clones of a registry share: one short lock, and what is done outside of it.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock, PoisonError, Weak},
};

use tokio::sync::{Notify, Semaphore};

use super::{
    Owner,
    close::close,
    entry::Phase,
    handle::{Core, LoadRef},
    kind::{AnyLoaded, Kind, Models},
    load::load,
    plan::{Payloads, Plan},
    slot::LoadCell,
    state::{Action, Reason, State},
    watch::Signals,
};
use crate::{
    clock::{Blocking, Runtime, Tick},
    error::LoadError,
    event::SessionId,
    id::StoreId,
    options::{Layers, StoreOptions},
    primitives::{Mutex, MutexGuard},
    storage::{catalog::Catalog, identity::Client, layout::Layout},
    store::ReaderPool,
    sync::{NetworkStatus, SyncBackend},
    telemetry::{Happened, Parent, Recorder},
};

/// What all clones of a registry share.
pub(crate) struct Shared {
    pub(crate) runtime: Runtime,
    state: Mutex<State>,
    /// Wakes the timer task.
    pub(super) timer: Arc<Notify>,
    pub(super) catalog: Catalog,
    pub(super) layout: Option<Layout>,
    pub(super) in_memory: bool,
    pub(super) client: Arc<Client>,
    pub(super) session_id: SessionId,
    pub(super) readers: Arc<ReaderPool>,
    pub(super) models: Models,
    pub(super) signals: Arc<Signals>,
    /// How many files are opened at the same time.
    pub(super) opening: Arc<Semaphore>,
    pub(super) unsent: super::unsent::Unsent,
    pub(super) network: NetworkStatus,
    pub(crate) followers: super::followers::Followers,
    /// Who owns the registry of a store that was opened without one: all observers of the store do, streams too.
    private: OnceLock<Weak<Owner>>,
    recorder: Option<Recorder>,
}

/// What a registry is made of.
pub(super) struct Parts {
    pub(super) runtime: Runtime,
    pub(super) state: State,
    pub(super) catalog: Catalog,
    pub(super) layout: Option<Layout>,
    pub(super) in_memory: bool,
    pub(super) client: Client,
    pub(super) session_id: SessionId,
    pub(super) readers: usize,
    pub(super) recorder: Option<Recorder>,
}

/// How many files are opened at the same time: opening waits for the disk, not for a core.
const OPENING: usize = 32;

/// Up to so many children a parent is not asked which are still there.
const FEW_CHILDREN: usize = 16;

/// Somebody who asks for a store.
#[derive(Default)]
pub(super) struct Call {
    pub(super) options: StoreOptions,
    pub(super) listener: Option<super::slot::Listener>,
    pub(super) parent: Option<Parent>,
    /// Leaves as soon as the load ends.
    pub(super) passing: bool,
    /// Opens the store only to send what it has not sent.
    pub(super) without_on_load: bool,
    /// A store that is not there is an error.
    pub(super) existing: bool,
    /// Where the store's events go, instead of where its options say.
    pub(super) wire: Option<Wire>,
}

/// Where a store's events go.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) backend: Arc<dyn SyncBackend>,
    pub(super) sync_id: String,
}

/// What somebody who asked for a store got.
pub(super) enum Joined {
    /// It is loaded, and they are counted.
    Loaded(Arc<dyn AnyLoaded>),
    /// They wait.
    Waiting { at: u32, cell: Arc<LoadCell> },
}

impl Shared {
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        let Parts { runtime, state, catalog, layout, in_memory, client, session_id, readers, recorder } = parts;
        let shared = Arc::new(Self {
            state: Mutex::new(state),
            timer: Arc::new(Notify::new()),
            catalog,
            layout,
            in_memory,
            client: Arc::new(client),
            session_id,
            readers: Arc::new(ReaderPool::new(readers)),
            models: Models::default(),
            signals: Arc::default(),
            opening: Arc::new(Semaphore::new(OPENING)),
            unsent: super::unsent::Unsent::default(),
            network: NetworkStatus::default(),
            followers: super::followers::Followers::default(),
            private: OnceLock::new(),
            recorder,
            runtime,
        });
        let task = super::timer::run(Arc::downgrade(&shared), Arc::clone(&shared.timer));
        shared.runtime.spawn(task);
        shared
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step under the lock, and then what follows from it.
    pub(super) fn with<R>(self: &Arc<Self>, step: impl FnOnce(&mut State, &mut Vec<Action>) -> R) -> R {
        let mut actions = Vec::new();
        let result = step(&mut self.lock(), &mut actions);
        self.perform(actions);
        result
    }

    pub(super) fn perform(self: &Arc<Self>, actions: Vec<Action>) {
        // What may be the app's is let go of last: a `Drop` that panics keeps nothing else from being done.
        let mut dropped = Vec::new();
        for action in actions {
            match action {
                Action::Start(started) => load(self, started),
                Action::Cancel(token) => token.cancel(),
                Action::Loaded(cell) => cell.outcome.wake(),
                Action::Close { load, loaded, reason } => close(self, load, loaded, &reason),
                Action::Closed(cell) => cell.wake(),
                Action::Timer => self.timer.notify_one(),
                Action::Push(loaded, pin) => self.push_in_background(loaded, pin),
                Action::Drop(what) => dropped.push(what),
            }
        }
        self.signals.changed();
    }

    pub(super) fn happened(&self, happened: impl FnOnce() -> Happened) {
        if let Some(recorder) = &self.recorder {
            recorder(happened());
        }
    }

    pub(super) fn is_logged(&self) -> bool {
        self.recorder.is_some()
    }

    /// The last observer of a load left, or thought that it was the last.
    pub(super) fn release_last(self: &Arc<Self>, core: &Core) {
        // Asks the backend, which is the app's code, so it comes before the lock.
        let keeps = core.has_to_send() && !self.unsent.is_over();
        let now = self.runtime.now();
        let is_unobserved = self.with(|state, actions| {
            if !core.subtract_observer() {
                return false;
            }
            if keeps && state.slots.of(core.load).is_some_and(|slot| !slot.hidden && slot.loaded.is_some()) {
                core.count();
                state.pin(core.load, actions);
                return false;
            }
            state.unobserved(core.load, now, actions);
            true
        });
        // A connection that came in between found the store observed.
        if is_unobserved && !keeps && core.has_to_send() {
            self.pin(core.load);
        }
    }

    /// The loaded store, observed once more; nothing changes when it is not loaded.
    pub(super) fn observe(&self, kind: &'static Kind, id: &StoreId) -> Option<Arc<dyn AnyLoaded>> {
        let mut state = self.lock();
        if state.shut_down {
            return None;
        }
        let at = state.slots.find(kind.type_id, id)?;
        if state.slots.get(at).is_none_or(|slot| slot.hidden || slot.loaded.is_none()) {
            return None;
        }
        let joined = state.join(at, None, false)?.ok();
        state.counters.hits += u64::from(joined.is_some());
        drop(state);
        self.signals.changed();
        joined
    }

    /// Whether the store is loaded or loading.
    pub(super) fn has(&self, kind: &'static Kind, id: &StoreId) -> bool {
        let state = self.lock();
        let slot = state.slots.find(kind.type_id, id).and_then(|at| state.slots.get(at));
        slot.is_some_and(|slot| !slot.hidden && (slot.entry.phase() != Phase::Closing || slot.entry.waiters() > 0))
    }

    /// Joins or begins a load.
    pub(super) fn join(
        self: &Arc<Self>,
        kind: &'static Kind,
        id: &StoreId,
        call: Option<&Call>,
        parent: Option<LoadRef>,
    ) -> Result<Joined, LoadError> {
        if call.is_none()
            && parent.is_none()
            && let Some(loaded) = self.observe(kind, id)
        {
            return Ok(Joined::Loaded(loaded));
        }
        super::join::join(self, kind, id, call.unwrap_or(&Call::default()), parent)
    }

    /// A waiter of a load leaves.
    pub(super) fn leave(self: &Arc<Self>, at: u32, cell: &Arc<LoadCell>, parent: Option<LoadRef>, passing: bool) {
        let waits = self.with(|state, actions| {
            state.waits_no_more(parent, at);
            state.leave(at, cell, passing, actions)
        });
        if !waits
            && !passing
            && let Some(Ok(loaded)) = cell.outcome.get()
        {
            loaded.core().release();
        }
    }

    /// A waiter whose load ended waits no more.
    pub(super) fn waited(&self, at: u32, parent: Option<LoadRef>) {
        if parent.is_some() {
            self.lock().waits_no_more(parent, at);
        }
    }

    pub(super) fn defaults(&self) -> Arc<StoreOptions> {
        Arc::clone(&self.lock().defaults)
    }

    /// Options of a new load, on top of these defaults; runs the definition's code, so not under the lock.
    pub(super) fn plan(self: &Arc<Self>, kind: &'static Kind, call: &Call, defaults: &StoreOptions) -> Plan {
        let definition = (kind.options)();
        self.know(kind, &definition);
        let mut resolved = Layers { registry: defaults, definition: &definition, call: &call.options }.resolve();
        if let Some(wire) = &call.wire {
            resolved.sync = Some(Arc::clone(&wire.backend));
            resolved.wire_id = Some(wire.sync_id.clone());
        }
        if kind.is_projection {
            // It has no events to send, whatever the options say.
            resolved.sync = None;
        }
        Plan {
            resolved: Arc::new(resolved),
            gc_time: definition.gc_time,
            payloads: Payloads {
                definition: definition.sync_payload.unwrap_or_default(),
                calls: call.options.sync_payload.clone().unwrap_or_default(),
            },
            in_memory: self.in_memory || (kind.adapter)().is_in_memory(),
            runs_on_load: !call.without_on_load,
            existing: call.existing,
        }
    }

    /// What a load got through its `LoadContext`: it is closed before that load at a shutdown.
    pub(super) fn note_child(&self, parent: LoadRef, child: LoadRef) {
        let mut state = self.lock();
        let Some(slot) = state.slots.of(parent) else { return };
        if slot.children.contains(&child) {
            return;
        }
        let mut children = std::mem::take(&mut slot.children);
        if children.len() >= FEW_CHILDREN && children.len().is_power_of_two() {
            // A parent that lives long has had many that are gone.
            children.retain(|child| state.slots.of(*child).is_some());
        }
        children.push(child);
        if let Some(slot) = state.slots.of(parent) {
            slot.children = children;
        }
    }

    /// The registry is that of one store, and ends with the store's last observer.
    pub(super) fn belongs_to_its_store(&self, owner: &Arc<Owner>) {
        // It is made for one `Store::open`, so nobody has said it before.
        let _ = self.private.set(Arc::downgrade(owner));
    }

    /// What an observer of its store has to hold, beside the store.
    pub(super) fn owner_by_store(&self) -> Option<Arc<Owner>> {
        self.private.get()?.upgrade()
    }

    /// Whether the registry is gone, and all its stores are closed.
    pub(super) fn is_over(&self) -> bool {
        let state = self.lock();
        state.shut_down && state.slots.iter().next().is_none()
    }

    pub(super) fn catalog_path(&self) -> PathBuf {
        self.layout.as_ref().map_or_else(|| PathBuf::from("the catalog in memory"), Layout::catalog)
    }

    /// The last clone of the registry is gone: everything is closed, in the background.
    pub(super) fn abandon(self: &Arc<Self>) {
        self.unsent.stop();
        self.with(|state, actions| {
            state.shut_down = true;
            for at in state.slots.all() {
                state.evict(at, &Reason::Shutdown, actions);
            }
        });
        self.followers.over();
    }

    /// Closes the catalog, which moves its `-wal` into its file. What fails is in the `-wal`.
    pub(super) fn close_catalog(&self) -> Option<Blocking<()>> {
        let catalog = self.catalog.take()?;
        Some(self.runtime.spawn_blocking(move || drop(catalog.close())))
    }

    /// Looks at a busy store for idleness a second from now.
    pub(super) fn busy(self: &Arc<Self>, load: LoadRef) {
        let due = self.quiet_at();
        self.with(|state, actions| state.maintain_at(load, due, actions));
    }

    pub(super) fn quiet_at(&self) -> Tick {
        self.runtime.now().after(std::time::Duration::from_secs(1))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The timer task finds the registry gone and ends.
        self.timer.notify_one();
        // A `drop` must not wait for the disk.
        drop(self.close_catalog());
    }
}
