//! Places: as many stores as `capacity` allows are open at once, and the others wait for one that closes, or are refused.

use super::{
    entry::Phase,
    handle::LoadRef,
    slot::Slot,
    state::{Action, Reason, State, fail},
};
use crate::{
    clock::Tick,
    error::{LoadError, OpenFilesLimit},
};

impl State {
    /// Starts the load of a queued slot, makes it wait for a place, or fails it.
    pub(super) fn place(&mut self, at: u32, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get(at) else { return };
        if !slot.counts || self.occupied < self.capacity.limit() {
            return self.start(at, actions);
        }
        // Whoever wants to keep the store comes before those who pass.
        let first_passing = self.queue.iter().position(|other| self.slots.get(*other).is_some_and(Slot::is_passing));
        let place = first_passing.filter(|_| !slot.is_passing()).unwrap_or(self.queue.len());
        self.queue.insert(place, at);
        self.serve(actions);
    }

    fn start(&mut self, at: u32, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        self.last_generation += 1;
        self.counters.loads += 1;
        self.occupied += usize::from(slot.counts);
        slot.generation = self.last_generation;
        slot.cancel = None;
        slot.entry.started();
        actions.push(Action::Start(LoadRef { slot: at, generation: slot.generation }));
    }

    /// Gives free places to who waits, and looks after the others: each of them has the place of a store that closes, or passes
    /// after others that pass, or is refused.
    pub(super) fn serve(&mut self, actions: &mut Vec<Action>) {
        while self.occupied < self.capacity.limit()
            && let Some(next) = self.queue.pop_front()
        {
            self.start(next, actions);
        }
        let mut after = 0;
        while !self.queue.is_empty() {
            let promised = self.promised();
            let Some(waiting) = self.queue.get(promised + after).copied() else { return };
            let slot = self.slots.get(waiting);
            if self.free_a_place(slot.is_some_and(|slot| slot.hidden), actions) {
                continue;
            }
            if self.slots.get(waiting).is_some_and(Slot::is_passing) && self.somebody_passes(promised) {
                after += 1;
            } else {
                self.refuse(waiting, actions);
            }
        }
    }

    /// How many places will be free: those of closing stores, but for the ones that somebody has asked for again, which keep theirs.
    fn promised(&self) -> usize {
        let comes_back =
            |slot: &Slot| slot.counts && !slot.hidden && slot.closing.is_some() && slot.entry.waiters() > 0;
        self.closing - self.slots.iter().filter(|(_, slot)| comes_back(slot)).count().min(self.closing)
    }

    /// Whether a store is loading, or has a place promised, that nobody keeps: its place is free after that.
    fn somebody_passes(&self, promised: usize) -> bool {
        let passes = |at: &u32| self.slots.get(*at).is_some_and(Slot::is_passing);
        self.queue.iter().take(promised).any(passes)
            || self
                .slots
                .iter()
                .any(|(_, slot)| slot.counts && slot.entry.phase() == Phase::Loading && slot.is_passing())
    }

    /// Takes the place of a store that the registry itself has open, or wants to, else of the one that was idle longest, else of one that
    /// nobody but its unsent events keeps; whether there was one. The registry's own loads take none from each other.
    fn free_a_place(&mut self, for_hidden: bool, actions: &mut Vec<Action>) -> bool {
        let idle =
            self.slots.iter().filter(|(_, slot)| slot.counts).filter_map(|(at, slot)| match slot.entry.phase() {
                Phase::Inactive { since, .. } => Some((since, at)),
                // Open only to be sent: it is opened again.
                Phase::Queued | Phase::Loading | Phase::Active if slot.hidden && !for_hidden => Some((Tick::ZERO, at)),
                // It is opened again, too, to be sent.
                Phase::Active if slot.is_only_pinned() && !for_hidden => Some((Tick::NEVER, at)),
                _ => None,
            });
        let Some((_, longest)) = idle.min() else { return false };
        self.evict(longest, &Reason::Capacity, actions);
        true
    }

    fn refuse(&mut self, at: u32, actions: &mut Vec<Action>) {
        self.queue.retain(|queued| *queued != at);
        // Who waits for a load is an observer.
        let is_observed = |slot: &Slot| slot.counts && matches!(slot.entry.phase(), Phase::Loading | Phase::Active);
        let observed = self.slots.iter().filter(|(_, slot)| is_observed(slot)).count();
        let limit = OpenFilesLimit::Capacity { observed, capacity: self.capacity.limit() };
        let Some(slot) = self.slots.get_mut(at) else { return };
        let error = LoadError::TooManyOpenFiles { store: slot.name.clone(), limit };
        fail(slot.cell.take(), error, actions);
        self.remove(at, actions);
    }
}
