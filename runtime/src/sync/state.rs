//! What events in the agreed order do to a store's log: pure.
//!
//! A log is a confirmed part and a pending one, `e1 e2 | e3 e4`. Two things happen to it:
//!
//! - **A local push**: an event is committed. It takes the number that follows the head, and nothing else changes
//!   ([`following`](crate::storage::eventlog::following)).
//! - **An upstream advance**: the backend tells which events come next in the agreed order. [`SyncState::merge`] says what follows from it.
//!   As long as they are the pending ones, these are confirmed: `e1 | e2 e3` and an own `e2` give `e1 e2 | e3`. Where pending events end,
//!   foreign ones are appended. Where a foreign event stands in the place of a pending one, there is a rebase: what is pending from there on
//!   is undone, the foreign events are appended, and what was undone comes back behind them, each event under the number that follows:
//!   `e1 | e2 e2.1` and a foreign `e2` give `e1 e2 | e3r1 e3.1r1`. A client-only event belongs to the synced event that it follows, so
//!   it is undone only if that is.
//!
//! A push that was accepted is an upstream advance, too, by the events that were pushed: so that it does no harm when the same events come
//! again, by a pull or because an answer was lost.
//!
//! Nothing here holds more than one pending event at a time. They are looked at from the front, as far as the page reaches.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    event::{ClientId, EventId, EventNumber, SessionId, StoredEvent},
    seeded,
    storage::eventlog::following,
};

mod same;
#[cfg(test)]
mod tests;

use same::{is_same, same_content};

/// Where a store stands in the agreed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SyncState {
    /// The last number that the backend has confirmed.
    confirmed: u64,
}

/// What follows from a page of events in the agreed order.
#[derive(Debug)]
pub(crate) enum Merge<'p> {
    /// All pending events stay where they are.
    Advance(Advance<'p>),
    /// A foreign event stands where one is pending.
    Rebase(Rebase<'p>),
    /// The page does not fit.
    Reject(Reject),
}

/// Pending events are confirmed, and where there are none left, foreign events follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advance<'p> {
    /// The pending events up to this number are confirmed.
    pub(crate) own: u64,
    /// To be appended behind all that is there.
    pub(crate) foreign: &'p [StoredEvent],
}

/// Pending events are confirmed, the others make room for foreign events and come back behind them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rebase<'p> {
    /// The pending events up to this number are confirmed.
    pub(crate) own: u64,
    /// To be appended behind what is not undone: at least one, in what follows from a page.
    pub(crate) foreign: &'p [StoredEvent],
}

/// Why a page does not fit. Nothing is to be done then but to pull again, from the confirmed head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reject {
    /// All of it was confirmed before.
    #[error("the events up to e{last} were confirmed before, the confirmed head is e{confirmed}")]
    Behind {
        /// The last event of the page.
        last: u64,
        /// The confirmed head.
        confirmed: u64,
    },
    /// An event is not the one that follows.
    #[error("event {found} came after e{after}, where e{} follows", after + 1)]
    Gap {
        /// The confirmed head, or the event of the page before.
        after: u64,
        /// What came.
        found: EventNumber,
    },
}

impl SyncState {
    /// Of a store whose events up to `confirmed` are confirmed.
    pub(crate) fn new(confirmed: u64) -> Self {
        Self { confirmed }
    }

    /// What follows from a page of events in the agreed order. `pending` are the log's events behind the confirmed head in their order, client-only
    /// ones among them or not; it is asked for as many as the page confirms, and one more.
    ///
    /// A page may begin with events that were confirmed before: they are passed over, since the same page may come twice. Nothing compares them
    /// with those in the log; that a backend has lost or exchanged events is told by its identity and its head.
    ///
    /// # Errors
    /// When `pending` fails.
    pub(crate) fn merge<'p, E, P: Borrow<StoredEvent>>(
        self,
        page: &'p [StoredEvent],
        pending: impl IntoIterator<Item = Result<P, E>>,
    ) -> Result<Merge<'p>, E> {
        let page = match self.news(page) {
            Ok(page) => page,
            Err(reject) => return Ok(Merge::Reject(reject)),
        };
        let mut own = self.confirmed;
        let mut foreign = page;
        for event in pending {
            let event = event?;
            let event: &StoredEvent = event.borrow();
            if event.number.is_client_only() && !seeded::bug("client-only-event-compared") {
                continue;
            }
            match foreign {
                [first, rest @ ..] if is_same(event, first) => (own, foreign) = (own + 1, rest),
                [] => break,
                _ => return Ok(Merge::Rebase(Rebase { own, foreign })),
            }
        }
        Ok(Merge::Advance(Advance { own, foreign }))
    }

    /// The part of a page that was not confirmed before: the events that follow the confirmed head, none left out.
    fn news(self, page: &[StoredEvent]) -> Result<&[StoredEvent], Reject> {
        let known = page.iter().take_while(|event| event.number.global() <= self.confirmed).count();
        let news = &page[known..];
        for (after, event) in (self.confirmed..).zip(news) {
            if event.number.is_client_only() || event.number.global() != after + 1 {
                return Err(Reject::Gap { after, found: event.number });
            }
        }
        match (page.last(), news) {
            (Some(last), []) => Err(Reject::Behind { last: last.number.global(), confirmed: self.confirmed }),
            _ => Ok(news),
        }
    }
}

impl<'p> Rebase<'p> {
    /// Everything from this number on is undone.
    pub(crate) fn undone_from(&self) -> EventNumber {
        EventNumber::synced(self.own + 1)
    }

    /// What becomes of the undone events, behind the first `taken` of the foreign ones.
    pub(crate) fn redo(&self, taken: usize) -> Redo<'p> {
        let foreign = &self.foreign[..taken];
        let mut arrived: Vec<EventId> = foreign.iter().filter_map(|event| event.id).collect();
        arrived.sort_unstable();
        Redo { arrived, nameless: Nameless::of(foreign), taken: BTreeSet::new() }
    }
}

/// Foreign events without ids, by their sessions, in order. Nobody else commits in a session: one that is there and of this client's is an own
/// event, which was pushed under another number, and whose answer was lost before it got the number that it has now.
#[derive(Debug, Default)]
pub(crate) struct Nameless<'p>(BTreeMap<(ClientId, SessionId), Vec<&'p StoredEvent>>);

impl<'p> Nameless<'p> {
    /// Those among foreign events.
    pub(crate) fn of(foreign: &'p [StoredEvent]) -> Self {
        let mut all = BTreeMap::<_, Vec<_>>::new();
        for event in foreign.iter().filter(|event| event.id.is_none()) {
            all.entry((event.client_id.clone(), event.session_id.clone())).or_default().push(event);
        }
        Self(all)
    }

    /// Takes the first one out that is this event; whether there is one.
    pub(crate) fn take(&mut self, own: &StoredEvent) -> bool {
        let session = self.0.get_mut(&(own.client_id.clone(), own.session_id.clone()));
        let Some(events) = session.filter(|_| !own.number.is_client_only()) else { return false };
        let found = events.iter().position(|arrived| same_content(own, arrived));
        found.map(|at| events.remove(at)).is_some()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Puts undone events behind the foreign ones.
#[derive(Debug)]
pub(crate) struct Redo<'p> {
    /// The ids of the foreign events, in order.
    arrived: Vec<EventId>,
    /// Those that have none, and are no undone event so far.
    nameless: Nameless<'p>,
    /// The undone events that were taken for one of them: they may be asked for more than once.
    taken: BTreeSet<EventNumber>,
}

/// What becomes of an undone event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Redone {
    /// It is one of the foreign events: it was pushed under another number, by a process whose later work a loss of power undid, or before an event
    /// in front of it was quarantined.
    Arrived,
    /// It is pending again, under this number.
    As(EventNumber),
    /// There is no number left for it.
    Nowhere,
}

impl<'p> Redo<'p> {
    /// What becomes of `undone`, behind the event `last`. They are asked for in their order; one that does not come back is no `last`.
    pub(crate) fn after(&mut self, last: EventNumber, undone: &StoredEvent) -> Redone {
        let has_arrived = undone.id.is_some_and(|id| self.arrived.binary_search(&id).is_ok())
            && !seeded::bug("arrived-event-sent-again");
        if has_arrived || self.is_nameless(undone) {
            return Redone::Arrived;
        }
        let rebases = u32::from(!seeded::bug("rebase-not-counted"));
        let generation = undone.number.generation().saturating_add(rebases);
        match following(last, undone.number.is_client_only()) {
            Some(number) => Redone::As(number.with_generation(generation)),
            None => Redone::Nowhere,
        }
    }

    fn is_nameless(&mut self, undone: &StoredEvent) -> bool {
        if self.nameless.is_empty() {
            return false;
        }
        let number = undone.number;
        self.taken.contains(&number) || self.nameless.take(undone) && self.taken.insert(number)
    }

    /// The foreign events without ids that are no undone event.
    pub(crate) fn into_nameless(self) -> Nameless<'p> {
        self.nameless
    }
}
