//! Somebody asks for a store: they join what is there, or begin a load.

use std::sync::Arc;

use super::{
    entry::Phase,
    handle::LoadRef,
    kind::{AnyLoaded, Kind},
    plan::Plan,
    shared::{Call, Joined, Shared},
    state::{Action, Reason, State},
};
use crate::{
    error::LoadError,
    id::StoreId,
    options::{Payload, StoreOptions},
    seeded,
    store::StoreName,
    telemetry::Parent,
};

/// Somebody who asks.
struct Caller<'a> {
    kind: &'static Kind,
    name: StoreName,
    call: &'a Call,
    /// The load whose `on_load` asks.
    parent: Option<LoadRef>,
    /// The options of a new load, once they are known, and the defaults that they are on top of.
    plan: Option<(Plan, Arc<StoreOptions>)>,
    /// What a new load is to be a child of, known with the plan.
    span: Option<Parent>,
    /// The running load whose options the call does not contradict.
    agreed: Option<Arc<Plan>>,
}

/// What one look under the lock comes to.
enum Step {
    /// The definition's options are asked for, which is the app's code.
    NeedsPlan,
    /// The call's options are compared with those of the load, which may be the app's code.
    NeedsAgreement(Arc<Plan>),
    /// Look again.
    Again,
    /// With what a store is told from now on whose file is open.
    Joined(Joined, Option<Told>),
}

/// A store, and what its backend is told from now on.
type Told = (Arc<dyn AnyLoaded>, Payload);

/// Joins or begins a load. The app's code runs between looks under the lock, so a look may find something else than the one before.
pub(super) fn join(
    shared: &Arc<Shared>,
    kind: &'static Kind,
    id: &StoreId,
    call: &Call,
    parent: Option<LoadRef>,
) -> Result<Joined, LoadError> {
    let name = StoreName::new(kind.name, id.clone());
    let mut caller = Caller { kind, name, call, parent, plan: None, span: None, agreed: None };
    loop {
        match shared.with(|state, actions| state.step(&mut caller, actions))? {
            Step::Again => {}
            Step::NeedsPlan => {
                let defaults = shared.defaults();
                caller.plan = Some((shared.plan(kind, call, &defaults), defaults));
                caller.span = Some(call.parent.clone().unwrap_or_else(Parent::current));
            }
            Step::NeedsAgreement(running) => match running.resolved.conflict(id, &call.options) {
                Some(option) => return Err(LoadError::OptionsConflict { store: caller.name, option }),
                None => caller.agreed = Some(running),
            },
            Step::Joined(joined, told) => {
                if let Some((open, payload)) = told {
                    open.core().tell(payload);
                }
                return Ok(joined);
            }
        }
    }
}

impl Caller<'_> {
    /// The options of a new load. None when they are on top of defaults that have been replaced since the app was asked.
    fn plan(&mut self, defaults: &Arc<StoreOptions>, actions: &mut Vec<Action>) -> Option<Plan> {
        let (plan, of) = self.plan.take()?;
        if Arc::ptr_eq(&of, defaults) {
            return Some(plan);
        }
        actions.push(Action::Drop(Box::new((plan, of))));
        None
    }
}

impl State {
    fn step(&mut self, caller: &mut Caller<'_>, actions: &mut Vec<Action>) -> Result<Step, LoadError> {
        if self.shut_down {
            return Err(LoadError::ShutDown { store: caller.name.clone() });
        }
        self.claim_name(caller.kind)?;
        let found = self.slots.find(caller.kind.type_id, caller.name.id());
        let Some((at, slot)) = found.and_then(|at| self.slots.get_mut(at).map(|slot| (at, slot))) else {
            return Ok(self.begin(caller, actions));
        };
        if slot.entry.phase() == Phase::Closing && slot.entry.waiters() == 0 {
            let Some(plan) = caller.plan(&self.defaults, actions) else { return Ok(Step::NeedsPlan) };
            let plan = self.share(caller.kind, plan);
            let Some(slot) = self.slots.get_mut(at) else { return Ok(Step::Again) };
            slot.hidden = !plan.runs_on_load;
            slot.parent = caller.span.take();
            actions.push(Action::Drop(Box::new(std::mem::replace(&mut slot.plan, plan))));
            return self.enter(at, caller, actions);
        }
        if slot.hidden && !caller.call.without_on_load {
            // It is opened to send events, without `on_load` and with options of nobody: it is loaded again.
            self.evict(at, &Reason::Evict, actions);
            return Ok(Step::Again);
        }
        let agreed = caller.agreed.as_ref().is_some_and(|agreed| Arc::ptr_eq(agreed, &slot.plan));
        if caller.call.options.has_fixed() && !agreed && !seeded::bug("second-options-ignored") {
            return Ok(Step::NeedsAgreement(Arc::clone(&slot.plan)));
        }
        self.enter(at, caller, actions)
    }

    /// The first definition that uses a name owns it.
    pub(super) fn claim_name(&mut self, kind: &'static Kind) -> Result<(), LoadError> {
        let owner = self.names.entry(kind.name).or_insert(kind);
        if owner.type_id == kind.type_id {
            return Ok(());
        }
        let (owner, other) = (format!("`{}`", (owner.type_name)()), (kind.type_name)().to_owned());
        Err(LoadError::DefinitionConflict { name: kind.name.to_owned(), owner, other })
    }

    fn begin(&mut self, caller: &mut Caller<'_>, actions: &mut Vec<Action>) -> Step {
        let Some(plan) = caller.plan(&self.defaults, actions) else { return Step::NeedsPlan };
        let (name, gc_time) = (caller.name.clone(), caller.call.options.gc_time);
        let plan = self.share(caller.kind, plan);
        let (at, cell) = self.insert(caller.kind, name, gc_time, plan, caller.span.take(), caller.call.passing);
        if let Some(listener) = &caller.call.listener {
            cell.listen(Arc::clone(listener));
        }
        if let Some(parent) = self.loading(caller.parent) {
            // A new slot waits for nobody, so there is no cycle yet.
            let _ = self.waits.add(parent.slot, at);
        }
        self.place(at, actions);
        Step::Joined(Joined::Waiting { at, cell }, None)
    }

    fn enter(&mut self, at: u32, caller: &Caller<'_>, actions: &mut Vec<Action>) -> Result<Step, LoadError> {
        let waits = self.slots.get(at).is_some_and(|slot| slot.loaded.is_none());
        if waits && let Some(parent) = self.loading(caller.parent) {
            self.waits.add(parent.slot, at).map_err(|chain| self.cycle(&chain, at))?;
        }
        let told = self.merge_payload(at, caller.call, actions);
        let Some(joined) = self.join(at, caller.call.options.gc_time, caller.call.passing) else {
            actions.push(Action::Drop(Box::new(told)));
            return Ok(Step::Again);
        };
        Ok(match joined {
            Ok(loaded) => {
                self.counters.hits += 1;
                Step::Joined(Joined::Loaded(loaded), told)
            }
            Err(cell) => {
                if let Some(listener) = &caller.call.listener {
                    cell.listen(Arc::clone(listener));
                }
                // What others only pass through may be kept now.
                self.serve(actions);
                Step::Joined(Joined::Waiting { at, cell }, told)
            }
        })
    }

    /// The parent, while its load runs: later its `get`s wait on their own account.
    fn loading(&mut self, parent: Option<LoadRef>) -> Option<LoadRef> {
        parent.filter(|load| self.slots.of(*load).is_some_and(|slot| slot.entry.phase() == Phase::Loading))
    }

    /// A load waits for a store no more. What an earlier load in its place waited for is none of a later one's.
    pub(super) fn waits_no_more(&mut self, parent: Option<LoadRef>, child: u32) {
        if let Some(parent) = parent.filter(|load| self.slots.of(*load).is_some()) {
            self.waits.remove(parent.slot, child);
        }
    }

    fn cycle(&self, chain: &[u32], asked_for: u32) -> LoadError {
        let slots = chain.iter().chain([&asked_for]);
        LoadError::Cycle { chain: slots.filter_map(|at| self.slots.get(*at).map(|slot| slot.name.clone())).collect() }
    }

    /// A later call's payload goes on top of the earlier calls'. The merged one, when there was one, and a store to be told.
    fn merge_payload(&mut self, at: u32, call: &Call, actions: &mut Vec<Action>) -> Option<Told> {
        let later = call.options.sync_payload.clone()?;
        let defaults = Arc::clone(&self.defaults);
        let slot = self.slots.get_mut(at)?;
        let mut plan = Plan::clone(&slot.plan);
        plan.payloads.calls = plan.payloads.calls.superseded_by(later);
        let payload = plan.payload(&defaults);
        let plan = plan.with_payload(payload.clone());
        actions.push(Action::Drop(Box::new(std::mem::replace(&mut slot.plan, Arc::new(plan)))));
        Some((slot.open()?, payload))
    }
}
