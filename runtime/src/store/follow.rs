//! Where the events of a receipt are: a rebase renumbers them, or takes them out of the log.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, Weak},
};

use self::moves::Moved;
use crate::{
    event::EventNumber,
    primitives::{Mutex, MutexGuard},
    storage::eventlog::place_of,
};

mod moves;
#[cfg(test)]
mod tests;

pub(super) use moves::{Moves, MovesMark};

/// The commits of a store that somebody has a receipt of and that are not confirmed yet, by the place of their last event. Commits share
/// no event, so the first one that ends at or behind a place is the only one that can have it.
#[derive(Debug, Default)]
pub(crate) struct Following {
    commits: Mutex<BTreeMap<i64, Weak<Followed>>>,
}

/// The events of one commit, for as long as there is a receipt of it.
#[derive(Debug)]
pub(crate) struct Followed {
    following: Weak<Following>,
    whereabouts: Mutex<Whereabouts>,
}

/// Where the events of a commit are now.
#[derive(Clone, Debug)]
pub(super) struct Whereabouts {
    first: i64,
    last: i64,
    /// The first one that is not in the log any more.
    pub(super) quarantined: Option<Quarantine>,
    /// All were confirmed, which stays true where the backend's log is another one later.
    confirmed: bool,
}

impl Whereabouts {
    /// Whether all are confirmed, where all up to a place are.
    pub(super) fn is_confirmed(&self, place: i64) -> bool {
        self.confirmed || self.last <= place
    }

    /// Goes with the events, from `begin` on. `false` when none of them is anywhere any more.
    fn moved(&mut self, begin: i64, moves: &Moves) -> bool {
        let (mut now, mut arrived) = (None, None);
        for moved in moves.of(self.first, self.last) {
            match &moved.to {
                Moved::By(places) => {
                    let (first, last) = (moved.first.max(self.first) + places, moved.last.min(self.last) + places);
                    now = Some((now.map_or(first, |(first, _)| first), last));
                }
                Moved::Onto(place) => arrived = Some((*place, *place)),
                Moved::Quarantined(quarantine) => {
                    self.quarantined.get_or_insert_with(|| quarantine.clone());
                }
            }
        }
        match now.or(arrived) {
            // What stands before the first undone event stays where it is.
            Some((first, last)) => {
                (self.first, self.last) = (if self.first < begin { self.first } else { first }, last);
            }
            None if self.first < begin => self.last = begin - 1,
            // Its place is another commit's.
            None => return false,
        }
        true
    }
}

/// An event that a rebase took out of the log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quarantine {
    pub(super) number: EventNumber,
    pub(super) reason: String,
}

impl Following {
    /// Follows a commit that was just made. Under the lock of the writer, so that no rebase comes between.
    pub(super) fn follow(self: &Arc<Self>, numbers: &[EventNumber]) -> Option<Arc<Followed>> {
        let (first, last) = (place_of(*numbers.first()?), place_of(*numbers.last()?));
        let whereabouts = Mutex::new(Whereabouts { first, last, quarantined: None, confirmed: false });
        let followed = Arc::new(Followed { following: Arc::downgrade(self), whereabouts });
        self.lock().insert(last, Arc::downgrade(&followed));
        Some(followed)
    }

    /// Whether somebody has a receipt of the commit that this event is of.
    pub(super) fn follows(&self, number: EventNumber) -> bool {
        let place = place_of(number);
        let followed = self.lock().range(place..).next().and_then(|(_, followed)| followed.upgrade());
        followed.is_some_and(|followed| followed.lock().first <= place)
    }

    /// After the COMMIT of a rebase, which has undone all from `begin` on, and before anybody sees its confirmed head.
    pub(super) fn moved(&self, begin: i64, moves: &Moves) {
        let mut commits = self.lock();
        let undone = commits.split_off(&begin).into_values();
        // Kept until the lock is let go: the last one to go takes it.
        let undone: Vec<_> = undone.filter_map(|followed| followed.upgrade()).collect();
        for followed in &undone {
            let mut whereabouts = followed.lock();
            if whereabouts.moved(begin, moves) {
                let last = whereabouts.last;
                drop(whereabouts);
                commits.insert(last, Arc::downgrade(followed));
            }
        }
        drop(commits);
    }

    /// All up to the place is confirmed, and moves no more.
    pub(super) fn confirmed(&self, place: i64) {
        let mut commits = self.lock();
        if commits.first_key_value().is_none_or(|(first, _)| *first > place) {
            return;
        }
        let pending = commits.split_off(&(place + 1));
        let confirmed = std::mem::replace(&mut *commits, pending);
        drop(commits);
        // Not under the lock: the last one to go takes it.
        for followed in confirmed.into_values().filter_map(|followed| followed.upgrade()) {
            followed.lock().confirmed = true;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Weak<Followed>>> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Followed {
    /// Where the events are now.
    pub(super) fn whereabouts(&self) -> Whereabouts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Whereabouts> {
        self.whereabouts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let Some(following) = self.following.upgrade() else { return };
        let last = self.lock().last;
        let mut commits = following.lock();
        // Another commit may have its place by now.
        if commits.get(&last).is_some_and(|other| other.strong_count() == 0) {
            commits.remove(&last);
        }
    }
}
