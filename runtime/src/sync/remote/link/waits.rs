//! Requests that have no answer yet: pure.
//!
//! A server may be slow: what it has to read or write before may take a while. That it answers a ping which was sent after a request says that
//! the request is there; from then on it has a while to say anything at all of what it was asked.

use std::{collections::BTreeMap, time::Duration};

use crate::clock::Tick;

/// So long a server that has a request may say nothing but that it is there. It is asked for that every 10 s, so a request fails 20 to 30 s after it
/// was made.
const PATIENCE: Duration = Duration::from_secs(15);

/// So long one request may have no answer, whatever else is answered meanwhile.
const LONGEST: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
pub(super) struct Waits {
    open: BTreeMap<u64, Wait>,
    pings: u64,
    pongs: u64,
}

#[derive(Debug)]
struct Wait {
    since: Tick,
    /// Pings that were sent before.
    behind: u64,
    /// When the server last said anything of use, or that it has this; none before it has.
    quiet: Option<Tick>,
}

impl Waits {
    /// An answer is due. One that was due before is no later for that.
    pub(super) fn asked(&mut self, id: u64, now: Tick) {
        let behind = self.pings;
        self.open.entry(id).or_insert(Wait { since: now, behind, quiet: None });
    }

    /// It has come, or nobody wants it.
    pub(super) fn answered(&mut self, id: u64) {
        self.open.remove(&id);
    }

    pub(super) fn pinged(&mut self) {
        self.pings += 1;
    }

    pub(super) fn ponged(&mut self, now: Tick) {
        self.pongs = self.pings.min(self.pongs + 1);
        let there = self.open.values_mut().filter(|wait| wait.quiet.is_none() && wait.behind < self.pongs);
        there.for_each(|wait| wait.quiet = Some(now));
    }

    /// The server has answered something.
    pub(super) fn heard(&mut self, now: Tick) {
        self.open.values_mut().filter_map(|wait| wait.quiet.as_mut()).for_each(|quiet| *quiet = now);
    }

    /// Whether the server has it, and has not answered.
    pub(super) fn has_arrived(&self, id: u64) -> bool {
        self.open.get(&id).is_some_and(|wait| wait.quiet.is_some())
    }

    /// Those that have waited for too long.
    pub(super) fn overdue(&self, now: Tick) -> Vec<u64> {
        let overdue = |wait: &Wait| {
            now.since(wait.since) >= LONGEST || wait.quiet.is_some_and(|quiet| now.since(quiet) >= PATIENCE)
        };
        self.open.iter().filter(|(_, wait)| overdue(wait)).map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::ZERO.after(Duration::from_secs(seconds))
    }

    fn ping(waits: &mut Waits, seconds: u64) {
        waits.pinged();
        waits.ponged(at(seconds));
    }

    #[test]
    fn a_request_that_is_there_and_has_no_answer_is_overdue_when_nothing_but_pongs_come() {
        let mut waits = Waits::default();
        ping(&mut waits, 0);
        waits.asked(1, at(1));
        ping(&mut waits, 10);
        assert!(waits.overdue(at(24)).is_empty());
        ping(&mut waits, 20);
        assert_eq!(waits.overdue(at(25)), [1]);
        waits.answered(1);
        assert!(waits.overdue(at(999)).is_empty());
    }

    #[test]
    fn a_request_that_is_on_its_way_is_not_overdue_however_slow_that_is() {
        let mut waits = Waits::default();
        waits.pinged();
        waits.asked(1, at(1));
        // That was asked before the request.
        waits.ponged(at(30));
        assert!(waits.overdue(at(60)).is_empty());
        waits.pinged();
        waits.ponged(at(70));
        assert!(waits.overdue(at(84)).is_empty());
        assert_eq!(waits.overdue(at(85)), [1]);
    }

    #[test]
    fn while_others_are_answered_a_request_waits_its_turn_but_not_for_ever() {
        let mut waits = Waits::default();
        waits.asked(1, at(0));
        ping(&mut waits, 0);
        for seconds in 1..300 {
            waits.heard(at(seconds));
            assert!(waits.overdue(at(seconds)).is_empty(), "{seconds}");
        }
        waits.asked(1, at(299));
        waits.heard(at(300));
        assert_eq!(waits.overdue(at(300)), [1], "asked once more it is no younger");
    }

    #[test]
    fn pongs_that_nobody_asked_for_say_nothing() {
        let mut waits = Waits::default();
        (0..9).for_each(|_| waits.ponged(at(0)));
        waits.asked(1, at(0));
        waits.pinged();
        waits.asked(2, at(1));
        waits.ponged(at(2));
        assert_eq!(waits.overdue(at(100)), [1], "of the other one nobody knows whether it is there");
    }
}
