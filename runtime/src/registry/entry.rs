//! The life of one (definition, id), as a pure state machine: inputs in, what to do out. No async, no locks, no clock.

use crate::{clock::Tick, options::GcTime, seeded};

/// Where one (definition, id) is in its life.
///
/// The exact number of observers of a loaded store is counted outside (a clone of a handle must not take a lock); the entry hears
/// when it leaves zero and when it comes back to it. Waiters, who are observers too, are counted here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    phase: Phase,
    /// Who waits for the load, or while closing for the one after.
    waiters: usize,
    period: Period,
    /// When the last clock of this load would have ended: no later clock ends before.
    floor: Tick,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Wants to load and waits for a free place.
    Queued,
    /// Its load runs.
    Loading,
    /// Loaded, with at least one observer.
    Active,
    /// Loaded without observers, until the deadline.
    Inactive {
        /// When the clock was started, for who is idle longest.
        since: Tick,
        /// When the store is to be closed.
        deadline: Tick,
    },
    /// Its file is being closed, or its cancelled load has not ended yet.
    Closing,
}

/// The gc times of one active period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Period {
    longest: Option<GcTime>,
    /// Some observer has no gc time of its own.
    inherits: bool,
}

impl Period {
    fn add(&mut self, own: Option<GcTime>) {
        let shortest = || self.longest.into_iter().chain(own).min();
        self.longest = if seeded::bug("shortest-gc-time") { shortest() } else { self.longest.max(own) };
        self.inherits |= own.is_none();
    }

    fn gc_time(self, inherited: GcTime) -> GcTime {
        match self.longest {
            Some(longest) if self.inherits => longest.max(inherited),
            Some(longest) => longest,
            None => inherited,
        }
    }
}

/// What became of somebody who asks for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// The store is loaded, and observed from now on.
    Observes,
    /// They wait for a load.
    Waits,
}

/// What to do when a waiter left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing.
    Nothing,
    /// The load has no waiters left: stop it, and say [`Entry::ended`] when its file is closed.
    CancelLoad,
    /// Nobody wants the store that never began to load: forget the entry.
    Forget,
}

/// What to do when the last observer left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Released {
    /// Call [`Entry::tick`] at this moment.
    Clock(Tick),
    /// Close the store now.
    Close,
}

/// What to do at an eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evicted {
    /// It is closing already; tell the waiters for the load after.
    Nothing,
    /// Tell the waiters and forget the entry, it never began to load.
    Forget,
    /// Tell the waiters, stop the load, and say [`Entry::ended`] when its file is closed.
    CancelLoad,
    /// Close the store, and say [`Entry::ended`] when its file is closed.
    Close,
}

/// What to do when a file is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Nobody waits: forget the entry.
    Forget,
    /// Somebody came meanwhile: load again.
    LoadAgain,
}

impl Entry {
    /// An entry whose first waiter is there.
    pub(crate) fn new(gc_time: Option<GcTime>) -> Self {
        let mut entry = Self { phase: Phase::Queued, waiters: 0, period: Period::default(), floor: Tick::ZERO };
        entry.join(gc_time);
        entry
    }

    /// An entry that closes what never was loaded here: a store that is being deleted.
    pub(crate) fn closing() -> Self {
        Self { phase: Phase::Closing, waiters: 0, period: Period::default(), floor: Tick::ZERO }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn waiters(&self) -> usize {
        self.waiters
    }

    /// Somebody asks for the store, with a gc time of their own or without.
    pub(crate) fn join(&mut self, gc_time: Option<GcTime>) -> Joined {
        match self.phase {
            Phase::Queued | Phase::Loading | Phase::Closing => {
                self.waiters += usize::from(!seeded::bug("waiter-uncounted"));
                self.period.add(gc_time);
                Joined::Waits
            }
            Phase::Active => {
                self.period.add(gc_time);
                Joined::Observes
            }
            Phase::Inactive { .. } => {
                self.phase = Phase::Active;
                self.period = Period::default();
                self.period.add(gc_time);
                Joined::Observes
            }
        }
    }

    /// A waiter leaves before the load ended.
    pub(crate) fn leave(&mut self) -> Left {
        self.waiters = self.waiters.saturating_sub(1);
        match self.phase {
            Phase::Queued if self.waiters == 0 => Left::Forget,
            Phase::Loading if self.waiters == 0 || seeded::bug("one-waiter-cancels-all") => {
                self.close();
                Left::CancelLoad
            }
            _ => {
                if self.waiters == 0 && self.phase == Phase::Closing {
                    self.period = Period::default();
                }
                Left::Nothing
            }
        }
    }

    /// There is a place: the load begins.
    pub(crate) fn started(&mut self) {
        debug_assert_eq!(self.phase, Phase::Queued);
        self.phase = Phase::Loading;
    }

    /// The load succeeded. All waiters are observers now; their number is returned. `None` when the load was cancelled: close the store.
    pub(crate) fn loaded(&mut self) -> Option<usize> {
        if self.phase != Phase::Loading {
            return None;
        }
        self.phase = Phase::Active;
        Some(std::mem::take(&mut self.waiters))
    }

    /// The last observer of the loaded store left.
    pub(crate) fn unobserved(&mut self, now: Tick, inherited: GcTime) -> Released {
        debug_assert_eq!(self.phase, Phase::Active);
        let own = match self.period.gc_time(inherited).duration() {
            Some(duration) => now.after(duration),
            None => Tick::NEVER,
        };
        let deadline = own.max(self.floor);
        self.floor = deadline;
        self.phase = Phase::Inactive { since: now, deadline };
        if deadline <= now {
            self.close();
            return Released::Close;
        }
        Released::Clock(deadline)
    }

    /// Whether the clock ran out, so that the store is to be closed.
    pub(crate) fn tick(&mut self, now: Tick) -> bool {
        let due = matches!(self.phase, Phase::Inactive { deadline, .. } if deadline <= now);
        if due {
            self.close();
        }
        due
    }

    /// The store leaves now, observed or not.
    pub(crate) fn evict(&mut self) -> Evicted {
        let evicted = match self.phase {
            Phase::Queued => return Evicted::Forget,
            Phase::Closing => Evicted::Nothing,
            Phase::Loading => Evicted::CancelLoad,
            Phase::Active | Phase::Inactive { .. } => Evicted::Close,
        };
        self.waiters = 0;
        self.close();
        evicted
    }

    /// The file is closed, whether the load failed, was cancelled, or the store was closed.
    pub(crate) fn ended(&mut self) -> Ended {
        if self.phase == Phase::Closing && self.waiters > 0 {
            self.phase = Phase::Queued;
            return Ended::LoadAgain;
        }
        Ended::Forget
    }

    fn close(&mut self) {
        self.phase = Phase::Closing;
        self.period = Period::default();
        self.floor = Tick::ZERO;
    }
}

#[cfg(test)]
mod tests;
