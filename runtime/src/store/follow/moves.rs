//! What a rebase did to the events that it undid: in as many entries as there are gaps, and not as many as there are events.

use super::Quarantine;
use crate::{event::EventNumber, storage::eventlog::place_of};

/// All of it, in the order that the events had in the log.
#[derive(Debug, Default)]
pub(in crate::store) struct Moves(Vec<Move>);

/// How far they have come.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct MovesMark {
    entries: usize,
    last: i64,
}

/// What became of undone events that followed one another: the places that the first and the last of them had.
#[derive(Debug)]
pub(super) struct Move {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) to: Moved,
}

/// What became of undone events.
#[derive(Debug, PartialEq)]
pub(super) enum Moved {
    /// Each has come back, so many places further on.
    By(i64),
    /// They are confirmed as soon as this place is.
    Onto(i64),
    /// It is not in the log any more.
    Quarantined(Quarantine),
}

impl Moves {
    /// The next event has come back under another number.
    pub(in crate::store) fn came_back(&mut self, from: EventNumber, to: EventNumber) {
        self.push(from, Moved::By(place_of(to) - place_of(from)));
    }

    /// The next event has come as one of those that are confirmed together with the one at `onto`.
    pub(in crate::store) fn arrived(&mut self, from: EventNumber, onto: EventNumber) {
        self.push(from, Moved::Onto(place_of(onto)));
    }

    /// The next event was taken out of the log. One that nobody has a receipt of may be left out.
    pub(in crate::store) fn quarantined(&mut self, quarantine: Quarantine) {
        self.push(quarantine.number, Moved::Quarantined(quarantine));
    }

    /// How far they have come, for [`back_to`](Self::back_to).
    pub(in crate::store) fn mark(&self) -> MovesMark {
        MovesMark { entries: self.0.len(), last: self.0.last().map_or(0, |moved| moved.last) }
    }

    /// Forgets what came after the mark.
    pub(in crate::store) fn back_to(&mut self, mark: MovesMark) {
        self.0.truncate(mark.entries);
        if let Some(moved) = self.0.last_mut() {
            moved.last = mark.last;
        }
    }

    /// What became of the events from one place to another.
    pub(super) fn of(&self, first: i64, last: i64) -> impl Iterator<Item = &Move> {
        let passed = self.0.partition_point(|moved| moved.last < first);
        self.0[passed..].iter().take_while(move |moved| moved.first <= last)
    }

    /// Events that follow one another and come to the same share an entry.
    fn push(&mut self, from: EventNumber, to: Moved) {
        let place = place_of(from);
        match self.0.last_mut() {
            Some(before) if before.to == to => before.last = place,
            _ => self.0.push(Move { first: place, last: place, to }),
        }
    }
}
