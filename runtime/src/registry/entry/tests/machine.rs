//! A few entries with what stands around each in the registry: who waits, how many hold, which places are taken.

use std::collections::{BTreeMap, VecDeque};

use super::{
    super::*,
    sequences::{Name, PLACES, STORES, Said, View},
};

struct Slot {
    entry: Entry,
    /// Which load; handles know theirs.
    load: u64,
    /// Handles of this load.
    observers: usize,
    /// Who waits, and whether they stay when they have it.
    waiting: Vec<(Name, bool)>,
}

pub(super) struct Machine {
    slots: [Option<Slot>; STORES],
    handles: BTreeMap<Name, (usize, u64)>,
    queue: VecDeque<usize>,
    last_load: u64,
    shut_down: bool,
    pub(super) inherited: GcTime,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            slots: Default::default(),
            handles: BTreeMap::new(),
            queue: VecDeque::new(),
            last_load: 0,
            shut_down: false,
            inherited: GcTime::seconds(60),
        }
    }
}

impl Machine {
    pub(super) fn view(&self, at: usize) -> Option<View> {
        let slot = self.slots[at].as_ref()?;
        assert_eq!(slot.entry.waiters(), slot.waiting.len());
        Some(View { phase: slot.entry.phase(), observers: slot.entry.waiters() + slot.observers })
    }

    /// Files that are open, or being opened or closed.
    pub(super) fn open_files(&self) -> usize {
        self.slots.iter().flatten().filter(|slot| slot.entry.phase() != Phase::Queued).count()
    }

    pub(super) fn get(&mut self, at: usize, name: Name, gc_time: Option<GcTime>, stays: bool, now: Tick) -> Vec<Said> {
        if self.shut_down {
            return vec![Said::ShutDown(name)];
        }
        let Some(slot) = &mut self.slots[at] else {
            let waiting = vec![(name, stays)];
            self.slots[at] = Some(Slot { entry: Entry::new(gc_time), load: 0, observers: 0, waiting });
            return self.place(at);
        };
        match slot.entry.join(gc_time) {
            Joined::Waits => {
                slot.waiting.push((name, stays));
                Vec::new()
            }
            Joined::Observes => {
                slot.observers += 1;
                self.handles.insert(name, (at, slot.load));
                let mut said = vec![Said::Got(name)];
                if !stays {
                    said.extend(self.drop_handle(name, now));
                }
                said
            }
        }
    }

    fn place(&mut self, at: usize) -> Vec<Said> {
        if self.open_files() < PLACES {
            return self.start(at);
        }
        let closing = self.slots.iter().flatten().filter(|slot| slot.entry.phase() == Phase::Closing).count();
        let mut said = Vec::new();
        if closing <= self.queue.len() {
            let idle = self.slots.iter().enumerate().filter_map(|(at, slot)| match slot.as_ref()?.entry.phase() {
                Phase::Inactive { since, .. } => Some((since, at)),
                _ => None,
            });
            let Some((_, longest)) = idle.min() else { return self.forget(at, Said::Refused) };
            said = self.evict(longest);
        }
        self.queue.push_back(at);
        said
    }

    fn start(&mut self, at: usize) -> Vec<Said> {
        let Some(slot) = &mut self.slots[at] else { return Vec::new() };
        slot.entry.started();
        self.last_load += 1;
        slot.load = self.last_load;
        vec![Said::Opens(at)]
    }

    fn forget(&mut self, at: usize, hears: fn(Name) -> Said) -> Vec<Said> {
        self.queue.retain(|queued| *queued != at);
        let slot = self.slots[at].take();
        slot.into_iter().flat_map(|slot| slot.waiting).map(|(name, _)| hears(name)).collect()
    }

    pub(super) fn clone_handle(&mut self, of: Name, name: Name) {
        let (at, load) = self.handles[&of];
        self.handles.insert(name, (at, load));
        if let Some(slot) = self.slots[at].as_mut().filter(|slot| slot.load == load && slot.observers > 0) {
            slot.observers += 1;
        }
    }

    pub(super) fn drop_handle(&mut self, name: Name, now: Tick) -> Vec<Said> {
        let Some((at, load)) = self.handles.remove(&name) else { return Vec::new() };
        let inherited = self.inherited;
        let slot = self.slots[at].as_mut().filter(|slot| slot.load == load && slot.observers > 0);
        let Some(slot) = slot else { return Vec::new() };
        slot.observers -= 1;
        if slot.observers > 0 {
            return Vec::new();
        }
        match slot.entry.unobserved(now, inherited) {
            Released::Clock(deadline) => {
                assert!(deadline > now);
                Vec::new()
            }
            Released::Close => vec![Said::Closes(at)],
        }
    }

    pub(super) fn leave(&mut self, name: Name) -> Vec<Said> {
        let waits = |slot: &&mut Slot| slot.waiting.iter().any(|(other, _)| *other == name);
        let found = self.slots.iter_mut().enumerate().find_map(|(at, slot)| Some((at, slot.as_mut().filter(waits)?)));
        let Some((at, slot)) = found else { return Vec::new() };
        slot.waiting.retain(|(other, _)| *other != name);
        match slot.entry.leave() {
            Left::Nothing => Vec::new(),
            Left::CancelLoad => vec![Said::Cancels(at)],
            Left::Forget => self.forget(at, Said::Cancelled),
        }
    }

    pub(super) fn loads(&mut self, at: usize, now: Tick) -> Vec<Said> {
        let Some(slot) = &mut self.slots[at] else { return Vec::new() };
        let Some(observers) = slot.entry.loaded() else { return Vec::new() };
        slot.observers = observers;
        let (waiting, load) = (std::mem::take(&mut slot.waiting), slot.load);
        self.handles.extend(waiting.iter().map(|(name, _)| (*name, (at, load))));
        let mut said: Vec<_> = waiting.iter().map(|(name, _)| Said::Got(*name)).collect();
        for (name, _) in waiting.into_iter().filter(|(_, stays)| !stays) {
            said.extend(self.drop_handle(name, now));
        }
        said
    }

    /// A load failed, or a file is closed.
    pub(super) fn ends(&mut self, at: usize) -> Vec<Said> {
        let Some(slot) = &mut self.slots[at] else { return Vec::new() };
        let again = slot.entry.ended() == Ended::LoadAgain;
        let mut said = if again { Vec::new() } else { self.forget(at, Said::Failed) };
        // The one whose file is closed has no place before it asks for one.
        while self.open_files() < PLACES
            && let Some(next) = self.queue.pop_front()
        {
            said.extend(self.start(next));
        }
        if again {
            said.extend(self.place(at));
        }
        said
    }

    pub(super) fn evict(&mut self, at: usize) -> Vec<Said> {
        let hears = if self.shut_down { Said::ShutDown } else { Said::Cancelled };
        let Some(slot) = &mut self.slots[at] else { return Vec::new() };
        let evicted = slot.entry.evict();
        slot.observers = 0;
        let mut said: Vec<_> = std::mem::take(&mut slot.waiting).into_iter().map(|(name, _)| hears(name)).collect();
        match evicted {
            Evicted::Nothing => {}
            Evicted::Forget => said.extend(self.forget(at, hears)),
            Evicted::CancelLoad => said.push(Said::Cancels(at)),
            Evicted::Close => said.push(Said::Closes(at)),
        }
        said
    }

    pub(super) fn clear(&mut self) -> Vec<Said> {
        (0..STORES).flat_map(|at| self.evict(at)).collect()
    }

    pub(super) fn shutdown(&mut self) -> Vec<Said> {
        self.shut_down = true;
        self.clear()
    }

    pub(super) fn tick(&mut self, now: Tick) -> Vec<Said> {
        let due = |slot: &mut Option<Slot>| slot.as_mut().is_some_and(|slot| slot.entry.tick(now));
        let closes = self.slots.iter_mut().enumerate().filter_map(|(at, slot)| due(slot).then_some(Said::Closes(at)));
        closes.collect()
    }
}
