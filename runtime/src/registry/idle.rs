//! Stores without observers, and stores without calls: what the clock does to them.

use std::sync::Arc;

use super::{
    entry::{Phase, Released},
    handle::LoadRef,
    kind::AnyLoaded,
    state::{Action, Reason, State},
};
use crate::{clock::Tick, options::GcTime};

impl State {
    /// The last observer of a load left.
    pub(super) fn unobserved(&mut self, load: LoadRef, now: Tick, actions: &mut Vec<Action>) {
        let inherited = self.inherited_gc_time(load);
        let Some(slot) = self.slots.of(load) else { return };
        if slot.entry.phase() != Phase::Active {
            return;
        }
        match slot.entry.unobserved(now, inherited) {
            Released::Clock(deadline) => {
                if self.timers.set(load.slot, deadline) {
                    actions.push(Action::Timer);
                }
                self.serve(actions);
            }
            Released::Close => self.close(load.slot, &Reason::Gc, actions),
        }
    }

    /// The gc time of an observer without its own: definition, then registry, then environment.
    fn inherited_gc_time(&mut self, load: LoadRef) -> GcTime {
        let (defaults, environment) = (self.defaults.gc_time, self.environment.gc_time());
        let definition = self.slots.of(load).and_then(|slot| slot.plan.gc_time);
        definition.or(defaults).unwrap_or(environment)
    }

    /// Timers that are due: stores whose clock ran out are closed; the others to look at for idleness are returned.
    pub(super) fn tick(&mut self, now: Tick, actions: &mut Vec<Action>) -> Vec<Arc<dyn AnyLoaded>> {
        let mut quiet = Vec::new();
        while let Some(at) = self.timers.pop(now) {
            let Some(slot) = self.slots.get_mut(at) else { continue };
            if slot.entry.tick(now) {
                self.close(at, &Reason::Gc, actions);
                continue;
            }
            if slot.maintain_at.is_some_and(|due| due <= now) {
                slot.maintain_at = None;
                quiet.extend(slot.loaded.clone());
            }
            let deadline = match slot.entry.phase() {
                Phase::Inactive { deadline, .. } => Some(deadline),
                _ => None,
            };
            if let Some(next) = [deadline, slot.maintain_at].into_iter().flatten().min() {
                self.timers.set(at, next);
            }
        }
        quiet
    }

    /// Looks at a store for idleness at `due`.
    pub(super) fn maintain_at(&mut self, load: LoadRef, due: Tick, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.of(load) else { return };
        if slot.maintain_at.is_none() && slot.loaded.is_some() {
            slot.maintain_at = Some(due);
            if self.timers.set(load.slot, due) {
                actions.push(Action::Timer);
            }
        }
    }
}
