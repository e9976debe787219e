//! What must become of a few stores, by the rules: every observer is kept by name, every gc time until it counts no more.

use std::collections::BTreeMap;

use super::{
    super::{Phase, Tick},
    sequences::{Name, PLACES, STORES, Said, View},
};
use crate::options::GcTime;

/// Where the file of a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum File {
    /// Nobody has it open, or wants to.
    #[default]
    Shut,
    /// Somebody wants it, and all places are taken.
    Queued,
    Opening,
    Open,
    /// It is being closed, or its load was stopped and has not ended.
    Closing,
}

#[derive(Debug, Default)]
struct Store {
    file: File,
    /// Who waits, and whether they stay when they have it.
    waiting: BTreeMap<Name, bool>,
    /// Who holds a handle of this load.
    holding: Vec<Name>,
    /// The gc times of all who observed since nobody did.
    gc_times: Vec<Option<GcTime>>,
    /// Since when nobody observes it, and when it is to be closed.
    idle: Option<(Tick, Tick)>,
    /// When the last clock of this load would have ended.
    promised: Tick,
}

impl Store {
    fn observers(&self) -> usize {
        self.waiting.len() + self.holding.len()
    }

    /// Its file is open now or will be, so it takes a place.
    fn takes_a_place(&self) -> bool {
        matches!(self.file, File::Opening | File::Open | File::Closing)
    }

    /// It leaves, with all that was promised for this load.
    fn close(&mut self) {
        self.file = File::Closing;
        self.holding.clear();
        self.gc_times.clear();
        (self.idle, self.promised) = (None, Tick::ZERO);
    }
}

#[derive(Debug)]
pub(super) struct Model {
    stores: [Store; STORES],
    /// Handles of loads that are over: dropping one does nothing.
    stale: Vec<Name>,
    /// Who wants a place, in their order.
    queue: Vec<usize>,
    shut_down: bool,
    /// What an observer without a gc time of its own counts with.
    pub(super) inherited: GcTime,
}

impl Default for Model {
    fn default() -> Self {
        let inherited = GcTime::seconds(60);
        Self { stores: Default::default(), stale: Vec::new(), queue: Vec::new(), shut_down: false, inherited }
    }
}

impl Model {
    /// Everybody who has a handle.
    pub(super) fn handles(&self) -> Vec<Name> {
        let mut names: Vec<_> =
            self.stores.iter().flat_map(|store| &store.holding).chain(&self.stale).copied().collect();
        names.sort_unstable();
        names
    }

    /// Everybody who waits.
    pub(super) fn waiters(&self) -> Vec<Name> {
        let mut names: Vec<_> = self.stores.iter().flat_map(|store| store.waiting.keys()).copied().collect();
        names.sort_unstable();
        names
    }

    pub(super) fn opening(&self) -> Vec<usize> {
        self.with(File::Opening)
    }

    pub(super) fn closing(&self) -> Vec<usize> {
        self.with(File::Closing)
    }

    fn with(&self, file: File) -> Vec<usize> {
        (0..STORES).filter(|at| self.stores[*at].file == file).collect()
    }

    pub(super) fn view(&self, at: usize) -> Option<View> {
        let store = &self.stores[at];
        let phase = match (store.file, store.idle) {
            (File::Shut, _) => return None,
            (File::Queued, _) => Phase::Queued,
            (File::Opening, _) => Phase::Loading,
            (File::Open, None) => Phase::Active,
            (File::Open, Some((since, deadline))) => Phase::Inactive { since, deadline },
            (File::Closing, _) => Phase::Closing,
        };
        Some(View { phase, observers: store.observers() })
    }

    /// Rules 1, 2, 3 and 6: one load for all who ask, nobody asks in vain while it is being closed, an observer stops the clock.
    pub(super) fn get(&mut self, at: usize, name: Name, gc_time: Option<GcTime>, stays: bool, now: Tick) -> Vec<Said> {
        if self.shut_down {
            return vec![Said::ShutDown(name)];
        }
        let store = &mut self.stores[at];
        if store.observers() == 0 {
            store.gc_times.clear();
        }
        store.gc_times.push(gc_time);
        if store.file == File::Open {
            store.idle = None;
            store.holding.push(name);
            let mut said = vec![Said::Got(name)];
            if !stays {
                said.extend(self.drop_handle(name, now));
            }
            return said;
        }
        store.waiting.insert(name, stays);
        if store.file == File::Shut { self.find_place(at) } else { Vec::new() }
    }

    /// Rule 9: a free place, one that will be free and is promised to nobody, that of the store that was idle longest, or none.
    fn find_place(&mut self, at: usize) -> Vec<Said> {
        if self.stores.iter().filter(|store| store.takes_a_place()).count() < PLACES {
            self.stores[at].file = File::Opening;
            return vec![Said::Opens(at)];
        }
        let unpromised = self.closing().len() > self.queue.len();
        let idle = (0..STORES).filter_map(|other| self.stores[other].idle.map(|(since, _)| (since, other)));
        let said = match (unpromised, idle.min()) {
            (true, _) => Vec::new(),
            (false, Some((_, longest))) => {
                self.stores[longest].close();
                vec![Said::Closes(longest)]
            }
            (false, None) => {
                let refused = std::mem::take(&mut self.stores[at]);
                return refused.waiting.into_keys().map(Said::Refused).collect();
            }
        };
        self.stores[at].file = File::Queued;
        self.queue.push(at);
        said
    }

    pub(super) fn clone_handle(&mut self, of: Name, name: Name) {
        match self.stores.iter_mut().find(|store| store.holding.contains(&of)) {
            Some(store) => store.holding.push(name),
            None => self.stale.push(name),
        }
    }

    /// Rules 3 and 4: the last one of this load starts the clock; those of other loads do nothing.
    pub(super) fn drop_handle(&mut self, name: Name, now: Tick) -> Vec<Said> {
        self.stale.retain(|other| *other != name);
        let Some(at) = (0..STORES).find(|at| self.stores[*at].holding.contains(&name)) else { return Vec::new() };
        let store = &mut self.stores[at];
        store.holding.retain(|other| *other != name);
        if store.observers() > 0 {
            return Vec::new();
        }
        let gc_times = store.gc_times.iter().map(|own| own.unwrap_or(self.inherited));
        let longest = gc_times.max().and_then(GcTime::duration);
        let deadline = longest.map_or(Tick::NEVER, |longest| now.after(longest)).max(store.promised);
        store.promised = deadline;
        store.idle = Some((now, deadline));
        self.tick(now)
    }

    /// Rule 5: the last waiter stops the load, one of several does not.
    pub(super) fn leave(&mut self, name: Name) -> Vec<Said> {
        let Some(at) = (0..STORES).find(|at| self.stores[*at].waiting.contains_key(&name)) else { return Vec::new() };
        let store = &mut self.stores[at];
        store.waiting.remove(&name);
        match store.file {
            File::Opening if store.waiting.is_empty() => {
                store.close();
                vec![Said::Cancels(at)]
            }
            File::Queued if store.waiting.is_empty() => {
                *store = Store::default();
                self.queue.retain(|queued| *queued != at);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Rule 2: all waiters have it, and those who only preload leave.
    pub(super) fn loads(&mut self, at: usize, now: Tick) -> Vec<Said> {
        let store = &mut self.stores[at];
        store.file = File::Open;
        let waiting = std::mem::take(&mut store.waiting);
        store.holding.extend(waiting.keys());
        let mut said: Vec<_> = waiting.keys().copied().map(Said::Got).collect();
        for (name, _) in waiting.into_iter().filter(|(_, stays)| !stays) {
            said.extend(self.drop_handle(name, now));
        }
        said
    }

    /// Rule 1: all waiters have the same error, and nothing of it stays.
    pub(super) fn fails(&mut self, at: usize) -> Vec<Said> {
        let failed = std::mem::take(&mut self.stores[at]);
        let mut said: Vec<_> = failed.waiting.into_keys().map(Said::Failed).collect();
        said.extend(self.place_is_free());
        said
    }

    /// Rule 6: whoever came meanwhile has it opened again.
    pub(super) fn closed(&mut self, at: usize) -> Vec<Said> {
        self.stores[at].file = File::Shut;
        let mut said = self.place_is_free();
        if self.stores[at].waiting.is_empty() {
            self.stores[at] = Store::default();
        } else {
            said.extend(self.find_place(at));
        }
        said
    }

    fn place_is_free(&mut self) -> Vec<Said> {
        if self.queue.is_empty() {
            return Vec::new();
        }
        let next = self.queue.remove(0);
        self.stores[next].file = File::Opening;
        vec![Said::Opens(next)]
    }

    /// Rule 6: at the call, observed or not; who waits hears of it.
    pub(super) fn evict(&mut self, at: usize) -> Vec<Said> {
        let store = &mut self.stores[at];
        let waiting = std::mem::take(&mut store.waiting);
        let hears = if self.shut_down { Said::ShutDown } else { Said::Cancelled };
        let mut said: Vec<_> = waiting.into_keys().map(hears).collect();
        self.stale.append(&mut store.holding);
        match store.file {
            File::Shut => {}
            File::Queued => {
                *store = Store::default();
                self.queue.retain(|queued| *queued != at);
            }
            File::Opening => said.push(Said::Cancels(at)),
            File::Open => said.push(Said::Closes(at)),
            File::Closing => {}
        }
        if store.file != File::Shut {
            store.close();
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

    /// Rule 3: stores whose clock ran out are closed.
    pub(super) fn tick(&mut self, now: Tick) -> Vec<Said> {
        let mut said = Vec::new();
        for (at, store) in self.stores.iter_mut().enumerate() {
            if store.idle.is_some_and(|(_, deadline)| deadline <= now) {
                store.close();
                said.push(Said::Closes(at));
            }
        }
        said
    }
}
