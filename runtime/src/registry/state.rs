//! What a registry knows, behind its one lock: slots, timers, places. Every method is short and runs no user code; what is to be done
//! outside of the lock comes back as [`Action`]s.

use std::{
    any::{Any, TypeId},
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use tokio_util::sync::CancellationToken;

use super::{
    capacity::Capacity,
    cycle::Waits,
    entry::{Ended, Evicted, Joined, Left},
    handle::LoadRef,
    kind::{AnyLoaded, Kind},
    plan::Plan,
    slot::{CloseCell, LoadCell, Slot, Slots},
    timers::Timers,
    unsent::Pin,
};
use crate::{
    clock::Tick,
    error::{LoadError, StoreError},
    options::{Environment, GcTime, StoreOptions},
    store::StoreName,
    telemetry::Parent,
};

pub(crate) struct State {
    pub(super) slots: Slots,
    pub(super) timers: Timers,
    pub(super) waits: Waits,
    /// Slots that wait for a place.
    pub(super) queue: VecDeque<u32>,
    pub(super) capacity: Capacity,
    /// Places taken, those of closing stores included.
    pub(super) occupied: usize,
    /// Of these, the closing ones.
    pub(super) closing: usize,
    pub(super) shut_down: bool,
    pub(super) environment: Environment,
    pub(super) defaults: Arc<StoreOptions>,
    pub(super) names: HashMap<&'static str, &'static Kind>,
    /// Of each definition, the slot that was made last.
    newest: HashMap<TypeId, u32>,
    pub(super) last_generation: u64,
    pub(super) counters: Counters,
}

/// What a registry has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) hits: u64,
    pub(crate) loads: u64,
    pub(crate) evictions: u64,
}

/// What to do after the lock is released.
pub(super) enum Action {
    /// Run the load.
    Start(LoadRef),
    /// Stop the load.
    Cancel(CancellationToken),
    /// Wake who waited for the load.
    Loaded(Arc<LoadCell>),
    /// Close the store.
    Close { load: LoadRef, loaded: Arc<dyn AnyLoaded>, reason: Reason },
    /// Wake who waited for the closing.
    Closed(Arc<CloseCell>),
    /// The earliest timer is earlier than it was.
    Timer,
    /// Send what the store has not sent.
    Push(Arc<dyn AnyLoaded>, Pin),
    /// Let go of it: what it holds may be the app's, whose `Drop` is not to run under the lock.
    Drop(Box<dyn Any + Send>),
}

/// Why a store leaves.
#[derive(Clone, Debug)]
pub(crate) enum Reason {
    /// Its clock ran out.
    Gc,
    /// `evict` or `clear`.
    Evict,
    /// Another store needed its place.
    Capacity,
    /// It stopped for good.
    Stopped(StoreError),
    /// The registry was shut down or dropped.
    Shutdown,
}

impl Reason {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Gc => "gc",
            Self::Evict => "evict",
            Self::Capacity => "capacity",
            Self::Stopped(_) => "stopped",
            Self::Shutdown => "shutdown",
        }
    }

    /// What handles answer from now on.
    pub(super) fn error(&self, store: StoreName) -> StoreError {
        match self {
            Self::Gc | Self::Evict | Self::Capacity => StoreError::Evicted { store },
            Self::Stopped(error) => error.clone(),
            Self::Shutdown => StoreError::Closed { store },
        }
    }

    fn load_error(&self, store: StoreName) -> LoadError {
        match self {
            Self::Shutdown => LoadError::ShutDown { store },
            _ => LoadError::Cancelled { store },
        }
    }
}

impl State {
    pub(super) fn new(capacity: Capacity, environment: Environment, defaults: StoreOptions) -> Self {
        Self {
            slots: Slots::default(),
            timers: Timers::default(),
            waits: Waits::default(),
            queue: VecDeque::new(),
            capacity,
            occupied: 0,
            closing: 0,
            shut_down: false,
            environment,
            defaults: Arc::new(defaults),
            names: HashMap::new(),
            newest: HashMap::new(),
            last_generation: 0,
            counters: Counters::default(),
        }
    }

    /// A new entry with its first waiter, and what they wait for.
    pub(super) fn insert(
        &mut self,
        kind: &'static Kind,
        name: StoreName,
        gc_time: Option<GcTime>,
        plan: Arc<Plan>,
        parent: Option<Parent>,
        passing: bool,
    ) -> (u32, Arc<LoadCell>) {
        let counts = self.capacity.counts(plan.in_memory);
        let cell: Arc<LoadCell> = Arc::default();
        let slot = Slot {
            kind,
            name,
            entry: super::entry::Entry::new(gc_time),
            generation: 0,
            hidden: !plan.runs_on_load,
            plan,
            parent,
            passing: usize::from(passing),
            cell: Some(Arc::clone(&cell)),
            loaded: None,
            opened: None,
            cancel: None,
            closing: None,
            counts,
            maintain_at: None,
            pinned: None,
            children: Vec::new(),
            left_to_it: Vec::new(),
        };
        let at = self.slots.insert(slot);
        self.newest.insert(kind.type_id, at);
        (at, cell)
    }

    /// Stores of a definition that are loaded alike have their options together: a thousand of them have them once.
    pub(super) fn share(&self, kind: &'static Kind, plan: Plan) -> Arc<Plan> {
        let last = self.newest.get(&kind.type_id).and_then(|at| self.slots.get(*at));
        // The place may be another's by now.
        let alike = last.filter(|last| last.kind.type_id == kind.type_id && last.plan.same(&plan));
        alike.map_or_else(|| Arc::new(plan), |alike| Arc::clone(&alike.plan))
    }

    /// A waiter of a load leaves before it ended; `false` when the load has ended.
    pub(super) fn leave(&mut self, at: u32, cell: &Arc<LoadCell>, passing: bool, actions: &mut Vec<Action>) -> bool {
        let Some(slot) = self.slots.get_mut(at) else { return false };
        if !slot.cell.as_ref().is_some_and(|own| Arc::ptr_eq(own, cell)) {
            return false;
        }
        slot.passing -= usize::from(passing);
        match slot.entry.leave() {
            Left::Nothing => {
                if slot.entry.waiters() == 0 {
                    slot.cell = None;
                }
            }
            Left::Forget => self.forget(at, actions),
            Left::CancelLoad => self.cancel(at, actions),
        }
        true
    }

    fn forget(&mut self, at: u32, actions: &mut Vec<Action>) {
        self.queue.retain(|queued| *queued != at);
        self.remove(at, actions);
    }

    /// Nobody knows the slot any more.
    pub(super) fn remove(&mut self, at: u32, actions: &mut Vec<Action>) {
        // The next store in this place waits for nobody, and nobody for it.
        self.waits.remove_slot(at);
        actions.push(Action::Drop(Box::new(self.slots.remove(at))));
    }

    fn cancel(&mut self, at: u32, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.cell = None;
        slot.passing = 0;
        slot.closing = Some(Arc::default());
        self.closing += usize::from(slot.counts);
        actions.push(Action::Cancel(slot.cancel.get_or_insert_default().clone()));
    }

    /// The store leaves now. What to wait for until its file is closed, if it is open.
    pub(super) fn evict(&mut self, at: u32, reason: &Reason, actions: &mut Vec<Action>) -> Option<Arc<CloseCell>> {
        let slot = self.slots.get_mut(at)?;
        let evicted = slot.entry.evict();
        slot.passing = 0;
        fail(slot.cell.take(), reason.load_error(slot.name.clone()), actions);
        match evicted {
            Evicted::Nothing => {}
            Evicted::Forget => self.forget(at, actions),
            Evicted::CancelLoad => self.cancel(at, actions),
            Evicted::Close => self.close(at, reason, actions),
        }
        self.slots.get(at).and_then(|slot| slot.closing.clone())
    }

    /// The entry says that its store is to be closed.
    pub(super) fn close(&mut self, at: u32, reason: &Reason, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.closing = Some(Arc::default());
        slot.maintain_at = None;
        actions.extend(slot.pinned.take().map(|pin| Action::Cancel(CancellationToken::clone(&pin))));
        self.closing += usize::from(slot.counts);
        self.counters.evictions += 1;
        let load = LoadRef { slot: at, generation: slot.generation };
        if let Some(loaded) = slot.loaded.take() {
            actions.push(Action::Close { load, loaded, reason: reason.clone() });
        }
    }

    /// The load ended well; false when it was cancelled meanwhile.
    pub(super) fn loaded(
        &mut self,
        load: LoadRef,
        loaded: &Arc<dyn AnyLoaded>,
        now: Tick,
        actions: &mut Vec<Action>,
    ) -> bool {
        let Some(slot) = self.slots.of(load) else { return false };
        let Some(observers) = slot.entry.loaded() else { return false };
        loaded.core().add_observers(observers);
        slot.opened = None;
        slot.loaded = Some(Arc::clone(loaded));
        slot.cancel = None;
        if let Some(cell) = slot.cell.take() {
            cell.outcome.set(Ok(Arc::clone(loaded)));
            actions.push(Action::Loaded(cell));
        }
        self.waits.forget(load.slot);
        let passing = self.slots.of(load).map_or(0, |slot| std::mem::take(&mut slot.passing));
        if (0..passing).any(|_| loaded.core().subtract_observer()) {
            self.unobserved(load, now, actions);
        }
        self.serve(actions);
        true
    }

    /// The file of a load is closed: it failed, was cancelled, or was closed.
    pub(super) fn ended(
        &mut self,
        load: LoadRef,
        failure: Option<LoadError>,
        closed: Result<(), StoreError>,
        actions: &mut Vec<Action>,
    ) {
        let Some(slot) = self.slots.of(load) else { return drop_later(failure, actions) };
        let counts = usize::from(slot.counts);
        self.occupied -= counts;
        if let Some(cell) = slot.closing.take() {
            self.closing -= counts;
            cell.set(closed);
            actions.push(Action::Closed(cell));
        }
        slot.children = Vec::new();
        slot.opened = None;
        self.waits.forget(load.slot);
        self.again_or_forget(load.slot, failure, actions);
    }

    /// What follows on a closed file: whoever came meanwhile loads again.
    fn again_or_forget(&mut self, at: u32, failure: Option<LoadError>, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(at) else { return drop_later(failure, actions) };
        let (again, hidden) = (slot.entry.ended() == Ended::LoadAgain, slot.hidden);
        slot.loaded = None;
        if again {
            drop_later(failure, actions);
        } else {
            let cell = slot.cell.take();
            let error = failure.unwrap_or_else(|| LoadError::Cancelled { store: slot.name.clone() });
            fail(cell, error, actions);
            self.remove(at, actions);
        }
        if again && hidden {
            // What the registry itself wants to open comes last.
            self.serve(actions);
        }
        if again {
            // Else the place that it had is its own.
            self.place(at, actions);
        }
        self.serve(actions);
    }

    /// Takes a (definition, id) that is not loaded out of use, until [`released`](Self::released).
    pub(super) fn reserve(&mut self, kind: &'static Kind, name: StoreName, plan: Arc<Plan>) -> u32 {
        let (at, _) = self.insert(kind, name, None, plan, None, false);
        if let Some(slot) = self.slots.get_mut(at) {
            slot.entry = super::entry::Entry::closing();
            slot.cell = None;
            slot.passing = 0;
            slot.counts = false;
            slot.closing = Some(Arc::default());
        }
        at
    }

    /// A reserved (definition, id) is in use again.
    pub(super) fn released(&mut self, at: u32, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.counts = self.capacity.counts(slot.plan.in_memory);
        if let Some(cell) = slot.closing.take() {
            cell.set(Ok(()));
            actions.push(Action::Closed(cell));
        }
        self.again_or_forget(at, None, actions);
    }

    /// Somebody asks for the store in a slot that has a load or waits for one; with `passing` they leave when the load ends.
    pub(super) fn join(
        &mut self,
        at: u32,
        gc_time: Option<GcTime>,
        passing: bool,
    ) -> Option<Result<Arc<dyn AnyLoaded>, Arc<LoadCell>>> {
        let slot = self.slots.get_mut(at)?;
        match slot.entry.join(gc_time) {
            Joined::Observes => {
                let loaded = slot.loaded.clone()?;
                loaded.core().count();
                Some(Ok(loaded))
            }
            Joined::Waits => {
                slot.passing += usize::from(passing);
                Some(Err(Arc::clone(slot.cell.get_or_insert_default())))
            }
        }
    }
}

pub(super) fn fail(cell: Option<Arc<LoadCell>>, error: LoadError, actions: &mut Vec<Action>) {
    match cell {
        Some(cell) => {
            cell.outcome.set(Err(error));
            actions.push(Action::Loaded(cell));
        }
        None => drop_later(Some(error), actions),
    }
}

/// An error that nobody waits for: that of an `on_load`, also of a source's, is the app's.
fn drop_later(error: Option<LoadError>, actions: &mut Vec<Action>) {
    if let Some(error @ (LoadError::OnLoad { .. } | LoadError::Projection { .. })) = error {
        actions.push(Action::Drop(Box::new(error)));
    }
}
