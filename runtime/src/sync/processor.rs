//! What the sync of one store does next: pure. A thin driver (`registry/unsent`) does it, and says what came of it.
//!
//! ```text
//!            ┌────────────── ahead ───────────────┐
//!            ▼                                    │
//!        Pull ── a page that leaves nothing ──► Push ── accepted, and nothing is unsent ──► Wait ── a commit ──► Push
//!            ▲                                    │
//!            └─── after a pause ◄── any error ────┘
//! ```

use std::time::Duration;

use super::PushAnswer;
use crate::event::StoredEvent;

/// Most events of one push.
pub(crate) const BATCH_EVENTS: usize = 100;

/// Most bytes of one push, as they are encoded in JSON. A single event may be as large as commits allow.
pub(crate) const BATCH_BYTES: usize = 900_000;

/// How long after the end of a pull the next one begins, of a backend that has no live ones.
pub(crate) const POLL: Duration = Duration::from_secs(5);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Take over what the backend has.
    Pull,
    /// Push the first events that are unsent.
    Push,
    /// Wait until something is committed, or comes.
    Wait,
}

/// The sync of one store, as long as it has a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Processor {
    /// Where the backend's log ends, as far as it has said. Not known is beyond all.
    backend_head: u64,
}

/// What a backend said that no further try changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// Its head is before what it had confirmed.
    RolledBack { confirmed: u64, head: u64 },
    /// Its log is another one.
    OtherBackend,
}

impl Processor {
    /// Of a store that may be behind the backend: it pulls first.
    pub(crate) fn behind() -> Self {
        Self { backend_head: u64::MAX }
    }

    /// Of a store that pushes first, and pulls if it is told that it is behind.
    pub(crate) fn hopeful() -> Self {
        Self { backend_head: 0 }
    }

    /// What is to be done, with all confirmed up to a number and so many events unsent behind it. What the backend has may have come by
    /// another pull meanwhile.
    pub(crate) fn next(self, confirmed: u64, unsent: u64) -> Next {
        match unsent {
            _ if confirmed < self.backend_head => Next::Pull,
            0 => Next::Wait,
            _ => Next::Push,
        }
    }

    /// A pull has ended, after which all is confirmed up to a number; whether it has brought what the backend has said that it has.
    pub(crate) fn pulled(&mut self, confirmed: u64) -> bool {
        let said = std::mem::take(&mut self.backend_head);
        said == u64::MAX || confirmed >= said
    }

    /// A push was answered; whether its events are confirmed.
    ///
    /// # Errors
    /// When the backend is not the one that it was.
    pub(crate) fn pushed(&mut self, answer: &PushAnswer, confirmed: u64) -> Result<bool, Misfit> {
        match *answer {
            PushAnswer::Accepted { .. } => Ok(true),
            PushAnswer::Ahead { head } if head < confirmed => Err(Misfit::RolledBack { confirmed, head }),
            PushAnswer::Ahead { head } => {
                self.backend_head = head;
                Ok(false)
            }
            PushAnswer::OtherBackend { .. } => Err(Misfit::OtherBackend),
        }
    }
}

/// How many of the unsent events go into one push: at least one.
pub(crate) fn batch(events: &[StoredEvent]) -> usize {
    let mut bytes = 0;
    let fits = |event: &&StoredEvent| {
        bytes += encoded_bytes(event);
        bytes <= BATCH_BYTES
    };
    let fitting = events.iter().take(BATCH_EVENTS).take_while(fits).count();
    fitting.max(1).min(events.len())
}

/// What an event takes in a message, at most: its texts, which stand there as they are, and what is around them.
fn encoded_bytes(event: &StoredEvent) -> usize {
    let texts = [event.name.as_str(), event.client_id.as_str(), event.session_id.as_str()];
    let around = 160;
    event.args.as_ref().map_or(0, String::len) + texts.iter().map(|text| text.len()).sum::<usize>() + around
}

/// The pauses between tries: each twice as long as the one before, from 1 s up to 30 s. With jitter, so that the clients of a backend that comes
/// back do not all come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pauses(Duration);

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pauses {
    /// The next one: at most as long as it says, and at least half of that, which `jitter` decides.
    pub(crate) fn next(&mut self, jitter: u8) -> Duration {
        let longest = self.0;
        self.0 = (longest * 2).min(LONGEST_PAUSE);
        longest - longest / 2 * u32::from(jitter) / 255
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventNumber;

    #[test]
    fn it_pulls_until_nothing_remains_then_pushes_until_nothing_is_unsent() {
        let mut processor = Processor::behind();
        assert_eq!((processor.next(0, 3), processor.next(9, 0)), (Next::Pull, Next::Pull));
        assert!(processor.pulled(4));
        assert_eq!((processor.next(4, 3), processor.next(4, 0)), (Next::Push, Next::Wait));
        assert_eq!(Processor::hopeful().next(0, 1), Next::Push);
    }

    #[test]
    fn a_backend_that_is_ahead_is_pulled_and_one_that_went_back_is_not_trusted() {
        let mut processor = Processor::hopeful();
        assert_eq!(processor.pushed(&PushAnswer::Ahead { head: 7 }, 5), Ok(false));
        assert_eq!((processor.next(5, 1), processor.next(7, 1)), (Next::Pull, Next::Push));
        assert!(!processor.pulled(6), "it has not given what it has");
        processor.pushed(&PushAnswer::Ahead { head: 7 }, 5).unwrap();
        assert!(processor.pulled(7));
        let back = processor.pushed(&PushAnswer::Ahead { head: 4 }, 5);
        assert_eq!(back, Err(Misfit::RolledBack { confirmed: 5, head: 4 }));
        let other = PushAnswer::OtherBackend { backend_id: "b".to_owned() };
        assert_eq!(processor.pushed(&other, 5), Err(Misfit::OtherBackend));
    }

    #[test]
    fn a_batch_holds_100_events_or_900_kilobytes_and_at_least_one_event() {
        let event = |bytes: usize| StoredEvent {
            number: EventNumber::synced(1),
            name: "n".to_owned(),
            args: Some("x".repeat(bytes)),
            client_id: "c".into(),
            session_id: "s".into(),
            id: None,
        };
        assert_eq!(batch(&vec![event(1); 250]), 100);
        assert_eq!(batch(&vec![event(299_000); 9]), 3);
        assert_eq!(batch(&[event(1_000_000), event(1)]), 1);
        assert_eq!(batch(&[]), 0);
    }

    #[test]
    fn pauses_double_from_1_s_to_30_s_and_jitter_takes_off_half_at_most() {
        let mut pauses = Pauses::default();
        let seconds: Vec<_> = (0..7).map(|_| pauses.next(0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pauses.next(255), Duration::from_secs(15));
        assert_eq!(Pauses::default().next(255), Duration::from_millis(500));
    }
}
