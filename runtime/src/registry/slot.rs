//! One (definition, id) of a registry with all that hangs on it, and the slab of them.

use std::{
    any::TypeId,
    hash::{BuildHasher, Hash},
    sync::{Arc, PoisonError, Weak},
};

use hashbrown::{DefaultHashBuilder, HashTable};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    cell::Cell,
    entry::Entry,
    handle::LoadRef,
    kind::{AnyLoaded, Kind},
    plan::Plan,
    unsent::Pin,
};
use crate::{
    clock::Tick,
    error::{LoadError, StoreError},
    id::StoreId,
    primitives::Mutex,
    seeded,
    store::{LoadProgress, StoreName},
    telemetry::Parent,
};

/// How a store's closing ended.
pub(super) type CloseCell = Cell<Result<(), StoreError>>;

pub(super) type Listener = Arc<dyn Fn(LoadProgress) + Send + Sync>;

/// What the waiters of one load wait for.
#[derive(Default)]
pub(super) struct LoadCell {
    pub(super) outcome: Cell<Result<Arc<dyn AnyLoaded>, LoadError>>,
    listeners: Mutex<Vec<Listener>>,
}

impl LoadCell {
    pub(super) fn listen(&self, listener: Listener) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Tells the listeners; they are the app's code, so no lock is held.
    pub(super) fn progress(&self, progress: LoadProgress) {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner).clone();
        listeners.iter().for_each(|listener| listener(progress));
    }
}

/// One (definition, id).
pub(super) struct Slot {
    pub(super) kind: &'static Kind,
    pub(super) name: StoreName,
    pub(super) entry: Entry,
    /// Of the last load that began; 0 before the first.
    pub(super) generation: u64,
    /// Of the load that is wanted, runs, or is loaded; shared by those that are loaded alike.
    pub(super) plan: Arc<Plan>,
    /// What the load that is wanted is to be a child of; the load takes it, so that no span lasts as long as a loaded store.
    pub(super) parent: Option<Parent>,
    /// Of those who wait, how many leave as soon as the load ends.
    pub(super) passing: usize,
    /// What waiters wait for, if there are any.
    pub(super) cell: Option<Arc<LoadCell>>,
    pub(super) loaded: Option<Arc<dyn AnyLoaded>>,
    /// Of the load that runs: the store whose file is open, for what `on_load` makes of it.
    pub(super) opened: Option<Weak<dyn AnyLoaded>>,
    /// Of the load that runs.
    pub(super) cancel: Option<CancellationToken>,
    /// While the entry is closing.
    pub(super) closing: Option<Arc<CloseCell>>,
    /// It takes one of the places that `capacity` allows while its file is open.
    pub(super) counts: bool,
    /// When the store is to be looked at for idleness.
    pub(super) maintain_at: Option<Tick>,
    /// The registry itself is an observer, because events are unsent.
    pub(super) pinned: Option<Pin>,
    /// Loaded, or to be loaded, without its `on_load`: only to send what it has not sent. Nobody gets it so.
    pub(super) hidden: bool,
    /// What this load got through its `LoadContext`.
    pub(super) children: Vec<LoadRef>,
    /// Who would have sent what the store has not sent, and left that to whoever has it.
    pub(super) left_to_it: Vec<LooksAgain>,
}

/// Looks at the closed stores again when the slot is gone that this was left to, however it went: dropped outside of the lock.
pub(super) struct LooksAgain(Arc<Notify>);

impl Drop for LooksAgain {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Slot {
    /// Says when the slot is gone.
    pub(super) fn leave_to_it(&mut self, again: &Arc<Notify>) {
        if !self.left_to_it.iter().any(|other| Arc::ptr_eq(&other.0, again)) {
            self.left_to_it.push(LooksAgain(Arc::clone(again)));
        }
    }

    /// The store whose file is open: it is loaded, or `on_load` runs, or the first sync before that.
    pub(super) fn open(&self) -> Option<Arc<dyn AnyLoaded>> {
        self.loaded.clone().or_else(|| self.opened.as_ref()?.upgrade())
    }

    /// Whether the registry is its only observer, for what it has not sent.
    pub(super) fn is_only_pinned(&self) -> bool {
        let observers = || self.loaded.as_ref().map_or(0, |loaded| loaded.core().observers());
        self.pinned.is_some() && self.entry.waiters() == 0 && observers() == 1
    }

    /// Whether nobody who waits keeps the store after its load.
    pub(super) fn is_passing(&self) -> bool {
        !self.hidden && self.passing == self.entry.waiters()
    }
}

/// All slots, found by (definition, id).
#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Slots {
    pub(super) fn find(&self, definition: TypeId, id: &StoreId) -> Option<u32> {
        let same = |at: &u32| self.get(*at).is_some_and(|slot| slot.kind.type_id == definition && slot.name.id() == id);
        self.index.find(self.hash(definition, id), same).copied()
    }

    pub(super) fn insert(&mut self, slot: Slot) -> u32 {
        let hash = self.hash(slot.kind.type_id, slot.name.id());
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            // 2^32 stores at once do not fit any memory.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.slots[at as usize] = Some(slot);
        let Self { index, slots, hasher, .. } = self;
        index.insert_unique(hash, at, |at| hash_of(hasher, slots, *at));
        at
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<Slot> {
        let slot = self.slots.get_mut(at as usize)?.take()?;
        if let Ok(found) = self.index.find_entry(self.hash(slot.kind.type_id, slot.name.id()), |other| *other == at) {
            found.remove();
        }
        self.free.push(at);
        Some(slot)
    }

    pub(super) fn get(&self, at: u32) -> Option<&Slot> {
        self.slots.get(at as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Slot> {
        self.slots.get_mut(at as usize)?.as_mut()
    }

    /// The slot, if the load in it is still this one.
    pub(super) fn of(&mut self, load: LoadRef) -> Option<&mut Slot> {
        self.get_mut(load.slot).filter(|slot| slot.generation == load.generation || seeded::bug("stale-release"))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Slot)> {
        (0_u32..).zip(&self.slots).filter_map(|(at, slot)| slot.as_ref().map(|slot| (at, slot)))
    }

    pub(super) fn all(&self) -> Vec<u32> {
        self.iter().map(|(at, _)| at).collect()
    }

    fn hash(&self, definition: TypeId, id: &StoreId) -> u64 {
        hash_key(&self.hasher, definition, id)
    }
}

fn hash_of(hasher: &DefaultHashBuilder, slots: &[Option<Slot>], at: u32) -> u64 {
    let slot = slots.get(at as usize).and_then(Option::as_ref);
    slot.map_or(0, |slot| hash_key(hasher, slot.kind.type_id, slot.name.id()))
}

fn hash_key(hasher: &DefaultHashBuilder, definition: TypeId, id: &StoreId) -> u64 {
    use std::hash::Hasher;
    let mut state = hasher.build_hasher();
    definition.hash(&mut state);
    id.hash(&mut state);
    state.finish()
}
