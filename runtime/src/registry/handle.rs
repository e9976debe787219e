//! A handle: one observer's hold on a loaded store.

use std::{
    any::Any,
    fmt,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, Weak, atomic::Ordering},
};

use super::{
    Owner,
    evict::Evict,
    kind::AnyLoaded,
    load::{Kept, take},
    shared::Shared,
    state::Reason,
    syncing::Synced,
    watch::Signals,
};
use crate::{
    clock::Runtime,
    definition::StoreDefinition,
    options::{Payload, ResolvedOptions},
    primitives::atomic::AtomicUsize,
    store::{Engine, Store, StoreName},
    sync::{NetworkStatus, SyncBackend},
};

/// One observer's hold on a loaded store: the store stays loaded while there is one. `clone` adds an observer, `drop` takes one away;
/// after the last one the store stays for its gc time.
///
/// A handle belongs to the load it came from: after an eviction it answers
/// [`StoreError::Evicted`](crate::StoreError::Evicted), also when the store is loaded again.
#[must_use = "the store is released as soon as the handle is dropped"]
pub struct StoreHandle<D> {
    loaded: Arc<LoadedStore<D>>,
    /// The private registry of a store that was opened without one.
    owner: Option<Arc<Owner>>,
}

impl<D> StoreHandle<D> {
    /// A handle for an observer that is counted already.
    pub(super) fn counted(loaded: Arc<LoadedStore<D>>) -> Self {
        Self { loaded, owner: None }
    }

    pub(super) fn owned_by(mut self, owner: Option<Arc<Owner>>) -> Self {
        self.owner = owner;
        self
    }
}

impl<D> StoreHandle<D> {
    /// What its load keeps, if there is such a thing.
    pub(crate) fn kept<T: Clone + 'static>(&self) -> Option<T> {
        self.loaded.core.kept()
    }

    /// Closes the store now, for all its handles, as [`StoreRegistry::evict`](super::StoreRegistry::evict) does. The future waits until
    /// the file is closed.
    ///
    /// # Errors
    /// [`StoreError`](crate::StoreError), when it is awaited: the file could not be closed cleanly. Nothing that was committed is lost.
    pub fn close(self) -> Evict {
        let core = &self.loaded.core;
        let closing = core.shared.upgrade().and_then(|shared| {
            shared.with(|state, actions| {
                let slot = state.slots.of(core.load)?;
                if slot.loaded.is_none() {
                    // It closes already; who waits for the load after is none of this handle's.
                    return slot.closing.clone();
                }
                state.evict(core.load.slot, &Reason::Evict, actions)
            })
        });
        Evict::new(closing)
    }
}

impl<D> Clone for StoreHandle<D> {
    fn clone(&self) -> Self {
        self.loaded.core.add_observer();
        Self { loaded: Arc::clone(&self.loaded), owner: self.owner.clone() }
    }
}

impl<D> Drop for StoreHandle<D> {
    fn drop(&mut self) {
        self.loaded.core.release();
    }
}

impl<D> Deref for StoreHandle<D> {
    type Target = Store<D>;

    fn deref(&self) -> &Store<D> {
        &self.loaded.store
    }
}

impl<D> fmt::Debug for StoreHandle<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("StoreHandle").field(&format_args!("{}", self.loaded.core.name())).finish()
    }
}

/// One load of a store, shared by its handles and its registry.
pub(crate) struct LoadedStore<D> {
    core: Core,
    store: Store<D>,
}

impl<D: StoreDefinition> LoadedStore<D> {
    pub(super) fn new(core: Core) -> Self {
        let store = Store::new(Arc::clone(&core.engine));
        Self { core, store }
    }
}

impl<D> LoadedStore<D> {
    pub(super) fn core(&self) -> &Core {
        &self.core
    }

    pub(super) fn store(&self) -> &Store<D> {
        &self.store
    }
}

/// Which load of which slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LoadRef {
    pub(super) slot: u32,
    pub(super) generation: u64,
}

/// What a load is without its type.
pub(crate) struct Core {
    pub(super) load: LoadRef,
    pub(super) engine: Arc<Engine>,
    pub(super) shared: Weak<Shared>,
    pub(super) signals: Arc<Signals>,
    /// Handles, streams, waiters that became observers, and the registry itself while it keeps the store for its unsent events. It
    /// leaves 0 and comes to 0 under the registry's lock only; in between it is counted without.
    observers: AtomicUsize,
    /// Handles of children, held until the store is closed.
    kept: Kept,
    pub(super) synced: Option<Box<Synced>>,
    pub(super) runtime: Runtime,
    pub(super) network: NetworkStatus,
}

impl Core {
    pub(super) fn new(
        load: LoadRef,
        engine: Arc<Engine>,
        shared: &Arc<Shared>,
        kept: Kept,
        options: &ResolvedOptions,
    ) -> Self {
        Self {
            load,
            synced: Synced::new(options, engine.name()),
            engine,
            shared: Arc::downgrade(shared),
            signals: Arc::clone(&shared.signals),
            observers: AtomicUsize::new(0),
            kept,
            runtime: shared.runtime.clone(),
            network: shared.network.clone(),
        }
    }

    pub(super) fn name(&self) -> &StoreName {
        self.engine.name()
    }

    pub(super) fn observers(&self) -> usize {
        self.observers.load(Ordering::Acquire)
    }

    /// One more, by somebody who is an observer already, or under the registry's lock.
    pub(super) fn add_observer(&self) {
        self.observers.fetch_add(1, Ordering::Relaxed);
        self.signals.changed();
    }

    /// One more, under the registry's lock.
    pub(super) fn count(&self) {
        self.observers.fetch_add(1, Ordering::Relaxed);
    }

    /// So many at once, at the end of the load, under the registry's lock. Streams that `on_load` made are counted already.
    pub(super) fn add_observers(&self, observers: usize) {
        self.observers.fetch_add(observers, Ordering::Release);
    }

    /// One less. The last one goes under the registry's lock.
    pub(super) fn release(&self) {
        let mut observers = self.observers.load(Ordering::Relaxed);
        while observers > 1 {
            match self.observers.compare_exchange_weak(observers, observers - 1, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return self.signals.changed(),
                Err(now) => observers = now,
            }
        }
        match self.shared.upgrade() {
            Some(shared) => shared.release_last(self),
            None => {
                self.observers.fetch_sub(1, Ordering::Release);
            }
        }
    }

    /// One less, under the registry's lock; whether it was the last.
    pub(super) fn subtract_observer(&self) -> bool {
        self.observers.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// What the load keeps, if there is such a thing.
    pub(super) fn kept<T: Clone + 'static>(&self) -> Option<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find_map(|kept| kept.downcast_ref::<T>().cloned())
    }

    /// The children, to be dropped without any lock.
    pub(super) fn take_kept(&self) -> Vec<Box<dyn Any + Send + Sync>> {
        take(&self.kept)
    }

    /// What the backend is told from now on, if there is one.
    pub(super) fn tell(&self, payload: Payload) {
        if let Some(synced) = &self.synced {
            synced.told.replace(payload);
        }
    }

    /// Whether events are unsent that the backend can have now. Asks the backend, so no lock may be held.
    pub(super) fn has_to_send(&self) -> bool {
        self.engine.unsent_events() > 0 && !self.engine.sync.is_stopped() && self.is_connected()
    }

    /// Whether there is a backend that can be reached. Asks it, so no lock may be held.
    pub(super) fn is_connected(&self) -> bool {
        let connected = |backend: &Arc<dyn SyncBackend>| {
            // One that panics cannot be reached: a `drop` of a handle comes here.
            !self.network.is_offline() && catch_unwind(AssertUnwindSafe(|| backend.connected())).unwrap_or(false)
        };
        self.backend().is_some_and(connected)
    }
}

/// An observer without a type: what streams hold.
pub(super) struct Hold {
    loaded: Arc<dyn AnyLoaded>,
}

impl Hold {
    /// For an observer that is counted already.
    pub(super) fn counted(loaded: Arc<dyn AnyLoaded>) -> Self {
        Self { loaded }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.loaded.core().release();
    }
}
