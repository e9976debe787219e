//! What the sync of one store does next: pure. A thin driver (`registry/unsent`) does it, and says what came of it.
//!
//! ```text
//!            ┌────────────── ahead ───────────────┐  ┌── accepted, and more is unsent ──┐
//!            ▼                                    │  ▼                                  │
//!        Pull ── a page that leaves nothing ──► Push ── accepted ──► Confirm ───────────┴──► Wait ── a commit ──► Push
//!            ▲                                    │
//!            └─── after a pause ◄── any error ────┘
//! ```
//!
//! That the backend has accepted events is one thing, that the store has noted it another: that is a transaction, for which commits wait. So
//! while commits come, one transaction notes what many pushes have brought. If it is lost, a pull brings the events once more.

use std::time::Duration;

use super::PushAnswer;
use crate::event::StoredEvent;

/// Most events of one push.
pub(crate) const BATCH_EVENTS: usize = 100;

/// Most bytes of one push, as they are encoded in JSON. A single event may be as large as commits allow.
pub(crate) const BATCH_BYTES: usize = 900_000;

/// So many accepted events are confirmed at once at the latest.
pub(crate) const MOST_ACCEPTED: u64 = 1_000;

/// As long as there is something to push, what was accepted is confirmed no more often than this. When there is nothing, at once.
pub(crate) const CONFIRM_EVERY: Duration = Duration::from_millis(50);

/// While events are committed faster than they are pushed, a push that is not full begins so long after the one before.
pub(crate) const PUSH_EVERY: Duration = Duration::from_millis(5);

/// How long after the end of a pull the next one begins, of a backend that has no live ones.
pub(crate) const POLL: Duration = Duration::from_secs(5);

/// When a payload that is good for so long is asked for again: so long before its end that an answer comes in time, and not without pause however
/// short its time is.
pub(crate) fn renewed_after(valid_for: Duration) -> Duration {
    let margin = (valid_for / 10).min(Duration::from_secs(60));
    (valid_for - margin).max(SHORTEST_PAUSE)
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Take over what the backend has.
    Pull,
    /// Push the first events that are unsent.
    Push,
    /// Wait so long for more to push: while the last push went on something was committed, and more will be.
    Gather(Duration),
    /// Note that the events that were accepted are confirmed.
    Confirm,
    /// Wait until something is committed, or comes.
    Wait,
}

/// Where a store's log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    /// All up to this number is confirmed.
    pub(crate) confirmed: u64,
    /// The backend has accepted all up to this number, which may not be noted yet.
    pub(crate) accepted: u64,
    /// The number of the last event.
    pub(crate) head: u64,
}

/// How long ago something happened; beyond all when it never did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    /// A push began.
    pub(crate) push: Duration,
    /// Something was confirmed.
    pub(crate) confirm: Duration,
}

/// What the backend has accepted, as long as it is not noted as confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// All up to this number.
    pub(crate) head: u64,
    /// How often pending events had been moved when these were read. What was accepted is where it is for good; but a log that another one
    /// takes the place of is not.
    pub(crate) rebases: u64,
    /// The id of the backend's log.
    pub(crate) backend_id: String,
}

/// The sync of one store, as long as it has a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Processor {
    /// Where the backend's log ends, as far as it has said; not known before the first pull.
    backend_head: Option<u64>,
    /// The last thing was a push of all that there was, and it was accepted: what is unsent now was committed meanwhile.
    pushed_all: bool,
    /// The last push was answered with another log's id.
    met_another: bool,
    /// Nobody has looked whether the backend's log is the one of before.
    compares: bool,
}

/// What a backend said that no further try changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// Its head is before what it had confirmed.
    RolledBack { confirmed: u64, head: u64 },
    /// Its log is another one.
    OtherBackend,
    /// It refuses a push that follows the head that it names in the refusal, or its log is another one each time: asked again at once it would go
    /// on like that for ever.
    Contradiction,
}

impl Processor {
    /// Of a store that may be behind the backend, and the backend's log another one: it pulls first.
    pub(crate) fn behind() -> Self {
        Self { backend_head: None, compares: true, ..Self::hopeful() }
    }

    /// Of a store that pushes first, and pulls if it is told that it is behind.
    pub(crate) fn hopeful() -> Self {
        Self { backend_head: Some(0), pushed_all: false, met_another: false, compares: false }
    }

    /// Whether a pull is to compare the last confirmed event.
    pub(crate) fn compares(self) -> bool {
        self.compares
    }

    /// What is to be done. What the backend has may have come by another pull meanwhile.
    pub(crate) fn next(self, stand: Stand, since: Since) -> Next {
        let unsent = stand.head.saturating_sub(stand.accepted);
        let accepted = stand.accepted.saturating_sub(stand.confirmed);
        let is_due = unsent == 0 || accepted >= MOST_ACCEPTED || since.confirm >= CONFIRM_EVERY;
        let waits = self.pushed_all && unsent < BATCH_EVENTS as u64 && since.push < PUSH_EVERY;
        match (accepted, unsent) {
            _ if self.backend_head.is_none_or(|head| stand.accepted < head) => Next::Pull,
            (1.., _) if is_due => Next::Confirm,
            (_, 0) => Next::Wait,
            _ if waits => Next::Gather(PUSH_EVERY - since.push),
            _ => Next::Push,
        }
    }

    /// A pull has ended, after which all is confirmed up to a number; whether it has brought what the backend has said that it has.
    pub(crate) fn pulled(&mut self, confirmed: u64) -> bool {
        let said = self.backend_head.replace(0);
        (self.pushed_all, self.compares) = (false, false);
        said.is_none_or(|said| confirmed >= said)
    }

    /// A push of events behind a number that the backend has confirmed was answered, which were all that there were or not; whether they
    /// are accepted.
    ///
    /// # Errors
    /// When the backend is not the one that it was.
    pub(crate) fn pushed(&mut self, answer: &PushAnswer, confirmed: u64, was_all: bool) -> Result<bool, Misfit> {
        let met_another = std::mem::replace(&mut self.met_another, matches!(answer, PushAnswer::OtherBackend { .. }));
        match *answer {
            PushAnswer::Accepted { .. } => {
                self.pushed_all = was_all;
                Ok(true)
            }
            PushAnswer::Ahead { head } if head < confirmed => Err(Misfit::RolledBack { confirmed, head }),
            PushAnswer::Ahead { head } if head == confirmed => Err(Misfit::Contradiction),
            PushAnswer::Ahead { head } => {
                self.backend_head = Some(head);
                Ok(false)
            }
            PushAnswer::OtherBackend { .. } if met_another => Err(Misfit::Contradiction),
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

/// What an event takes in a message, at most: its arguments, which stand there as they are, its texts, and what is around them, its id included.
/// A server that counts the same gives a push to its readers as one page.
fn encoded_bytes(event: &StoredEvent) -> usize {
    let texts = [event.name.as_str(), event.client_id.as_str(), event.session_id.as_str()];
    let around = 320;
    event.args.as_ref().map_or(0, String::len) + texts.into_iter().map(in_json).sum::<usize>() + around
}

/// Bytes of a text in JSON, at most (RFC 8259, section 7).
fn in_json(text: &str) -> usize {
    let byte = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..=31 => 6,
        _ => 1,
    };
    text.bytes().map(byte).sum()
}

/// The pauses between tries: 1 to 2 s, then up to twice as long each, up to 15 to 30 s. With jitter, so that the clients of a backend that comes back
/// do not all come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pauses(Duration);

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Default for Pauses {
    fn default() -> Self {
        Self(SHORTEST_PAUSE * 2)
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

    const NOW: Since = Since { push: Duration::ZERO, confirm: Duration::ZERO };

    fn confirmed_before(confirm: Duration) -> Since {
        Since { confirm, ..NOW }
    }

    fn stand(confirmed: u64, accepted: u64, head: u64) -> Stand {
        Stand { confirmed, accepted, head }
    }

    #[test]
    fn it_pulls_until_nothing_remains_then_pushes_until_nothing_is_unsent() {
        let mut processor = Processor::behind();
        assert_eq!(processor.next(stand(0, 0, 3), NOW), Next::Pull);
        assert_eq!(processor.next(stand(9, 9, 9), NOW), Next::Pull);
        assert!(processor.pulled(4));
        assert_eq!(processor.next(stand(4, 4, 7), NOW), Next::Push);
        assert_eq!(processor.next(stand(4, 4, 4), NOW), Next::Wait);
        assert_eq!(Processor::hopeful().next(stand(0, 0, 1), NOW), Next::Push);
    }

    #[test]
    fn what_was_accepted_is_confirmed_at_once_where_nothing_is_left_to_push() {
        let processor = Processor::hopeful();
        assert_eq!(processor.next(stand(4, 6, 6), NOW), Next::Confirm);
        assert_eq!(processor.next(stand(6, 6, 6), NOW), Next::Wait);
    }

    #[test]
    fn while_there_is_something_to_push_it_is_confirmed_every_50_ms_or_1_000_events() {
        let processor = Processor::hopeful();
        let due = confirmed_before(Duration::from_millis(50));
        assert_eq!(processor.next(stand(0, 2, 3), confirmed_before(Duration::from_millis(49))), Next::Push);
        assert_eq!(processor.next(stand(0, 2, 3), due), Next::Confirm);
        assert_eq!(processor.next(stand(2, 2, 3), due), Next::Push);
        assert_eq!(processor.next(stand(0, 999, 2_000), NOW), Next::Push);
        assert_eq!(processor.next(stand(0, 1_000, 2_000), NOW), Next::Confirm);
    }

    #[test]
    fn while_events_come_faster_than_pushes_go_these_are_full_or_5_ms_apart() {
        let mut processor = Processor::hopeful();
        assert_eq!(processor.next(stand(0, 0, 1), NOW), Next::Push, "the first one of an idle store");
        let accepted = PushAnswer::Accepted { backend_id: String::new() };
        processor.pushed(&accepted, 0, false).unwrap();
        assert_eq!(processor.next(stand(0, 1, 3), NOW), Next::Push, "the rest of what was there");
        processor.pushed(&accepted, 0, true).unwrap();
        assert_eq!(processor.next(stand(0, 1, 3), NOW), Next::Gather(PUSH_EVERY));
        assert_eq!(processor.next(stand(0, 1, 101), NOW), Next::Push);
        assert_eq!(processor.next(stand(0, 1, 3), Since { push: PUSH_EVERY, ..NOW }), Next::Push);
        // Others were first: then there is no waiting once theirs are here.
        processor.pushed(&PushAnswer::Ahead { head: 5 }, 1, true).unwrap();
        assert!(processor.pulled(5));
        assert_eq!(processor.next(stand(5, 5, 6), NOW), Next::Push);
    }

    #[test]
    fn a_backend_that_is_ahead_is_pulled_and_one_that_went_back_is_not_trusted() {
        let mut processor = Processor::hopeful();
        assert_eq!(processor.pushed(&PushAnswer::Ahead { head: 7 }, 5, true), Ok(false));
        assert_eq!(processor.next(stand(3, 5, 6), confirmed_before(CONFIRM_EVERY)), Next::Pull);
        assert_eq!(processor.next(stand(7, 7, 8), NOW), Next::Push);
        assert!(!processor.pulled(6), "it has not given what it has");
        processor.pushed(&PushAnswer::Ahead { head: 7 }, 5, true).unwrap();
        assert!(processor.pulled(7));
        let back = processor.pushed(&PushAnswer::Ahead { head: 4 }, 5, true);
        assert_eq!(back, Err(Misfit::RolledBack { confirmed: 5, head: 4 }));
        let other = PushAnswer::OtherBackend { backend_id: "b".to_owned() };
        assert_eq!(processor.pushed(&other, 5, true), Err(Misfit::OtherBackend));
    }

    #[test]
    fn a_backend_that_contradicts_itself_has_failed_and_is_not_asked_again_at_once() {
        let mut processor = Processor::hopeful();
        let contradiction = Err(Misfit::Contradiction);
        assert_eq!(processor.pushed(&PushAnswer::Ahead { head: 5 }, 5, true), contradiction);
        assert_eq!(processor.pushed(&PushAnswer::Ahead { head: u64::MAX }, 5, true), Ok(false));
        assert!(!processor.pulled(5), "it has not given what it has");
        let other = PushAnswer::OtherBackend { backend_id: "b".to_owned() };
        assert_eq!(processor.pushed(&other, 5, true), Err(Misfit::OtherBackend));
        assert_eq!(processor.pushed(&other, 5, true), contradiction);
        assert_eq!(processor.pushed(&PushAnswer::Accepted { backend_id: "b".to_owned() }, 5, true), Ok(true));
        assert_eq!(processor.pushed(&other, 5, true), Err(Misfit::OtherBackend));
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
        // Texts that JSON writes longer than they are.
        let named = |name: &str| StoredEvent { name: name.repeat(1_000), ..event(200_000) };
        assert_eq!([named("n"), named("\n")].map(|event| batch(&vec![event; 9])), [4, 4]);
        let named = |name: &str| StoredEvent { name: name.repeat(1_000), ..event(221_000) };
        assert_eq!([named("n"), named("\n")].map(|event| batch(&vec![event; 9])), [4, 3]);
    }

    #[test]
    fn a_payload_is_asked_for_again_before_it_expires_and_not_without_pause() {
        let after = |seconds: u64| renewed_after(Duration::from_secs(seconds)).as_secs();
        assert_eq!([0, 1, 100, 600, 3_600].map(after), [1, 1, 90, 540, 3_540]);
        assert_eq!(renewed_after(Duration::MAX), Duration::MAX - Duration::from_secs(60));
    }

    #[test]
    fn pauses_double_between_1_s_and_30_s_and_jitter_takes_off_half_at_most() {
        let mut pauses = Pauses::default();
        let seconds: Vec<_> = (0..6).map(|_| pauses.next(0).as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 30, 30]);
        assert_eq!(pauses.next(255), Duration::from_secs(15));
        assert_eq!(Pauses::default().next(255), Duration::from_secs(1));
    }
}
