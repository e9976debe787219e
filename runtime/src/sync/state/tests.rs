//! `merge` on logs that are lists: clients that apply what it says, a backend that orders, and the notation to assert on.

use std::convert::Infallible;

use super::{Merge, Redone, Reject, SyncState};
use crate::event::{ClientId, EventId, EventNumber, LogNumbers, SessionId, StoredEvent};

mod histories;
mod named;
mod sameness;

/// The log of one client.
#[derive(Clone, Debug)]
struct Client {
    name: &'static str,
    session: u32,
    confirmed: u64,
    log: Vec<StoredEvent>,
    /// What does not materialize any more on top of foreign events.
    refused: Vec<String>,
    quarantined: Vec<StoredEvent>,
    /// Pages for which something was undone.
    rebases: u32,
}

impl Client {
    fn new(name: &'static str) -> Self {
        let (log, refused, quarantined) = Default::default();
        Self { name, session: 1, confirmed: 0, log, refused, quarantined, rebases: 0 }
    }

    fn head(&self) -> EventNumber {
        self.log.last().map_or(EventNumber::ZERO, |event| event.number)
    }

    /// A local push.
    fn commit(&mut self, args: &str, client_only: bool) {
        let number = super::following(self.head(), client_only).unwrap();
        let id = (!client_only).then(|| EventId(u128::from_str_radix(&hex(self.name, args), 16).unwrap()));
        self.log.push(event(number, args, (self.name, self.session), id));
    }

    fn pending(&self) -> impl Iterator<Item = &StoredEvent> + Clone {
        self.log.iter().filter(|event| event.number.global() > self.confirmed)
    }

    /// The next batch to push.
    fn batch(&self, most: usize) -> Vec<StoredEvent> {
        self.pending().filter(|event| !event.number.is_client_only()).take(most).cloned().collect()
    }

    /// Takes over a page.
    fn take(&mut self, page: &[StoredEvent]) -> Result<(), Reject> {
        let mut asked = 0;
        let pending = self.pending().inspect(|_| asked += 1).map(Ok::<_, Infallible>);
        let (own, foreign) = match SyncState::new(self.confirmed).merge(page, pending).unwrap() {
            Merge::Reject(reject) => return Err(reject),
            Merge::Advance(advance) => (advance.own, advance.foreign),
            Merge::Rebase(rebase) => {
                self.rebases += 1;
                let at = self.log.partition_point(|event| event.number < rebase.undone_from());
                let undone = self.log.split_off(at);
                assert!(!undone[0].number.is_client_only(), "a client-only event is undone with what it follows");
                self.log.extend_from_slice(rebase.foreign);
                let mut redo = rebase.redo(rebase.foreign.len());
                for event in undone {
                    match redo.after(self.head(), &event) {
                        Redone::Arrived => {}
                        Redone::As(_) if event.args.as_ref().is_some_and(|args| self.refused.contains(args)) => {
                            self.quarantined.push(event);
                        }
                        Redone::As(number) => self.log.push(StoredEvent { number, ..event }),
                        Redone::Nowhere => panic!("there are numbers left"),
                    }
                }
                self.confirmed = rebase.own + rebase.foreign.len() as u64;
                return Ok(());
            }
        };
        // The page's events, those behind it that are client-only, and one more.
        let client_only = self.pending().filter(|event| event.number.is_client_only()).count();
        assert!(asked <= page.len() + client_only + 1, "{asked} pending events were looked at for {}", page.len());
        self.log.extend_from_slice(foreign);
        self.confirmed = own + foreign.len() as u64;
        Ok(())
    }

    /// The log in the notation of events.
    fn shown(&self) -> String {
        let confirmed = |event: &&StoredEvent| event.number.global() <= self.confirmed;
        let numbers = |events: Vec<&StoredEvent>| events.into_iter().map(|event| event.number).collect::<Vec<_>>();
        let (confirmed, pending) = self.log.iter().partition(confirmed);
        LogNumbers::new(numbers(confirmed), numbers(pending)).to_string()
    }

    /// What the log says, in order.
    fn texts(&self) -> String {
        self.log.iter().filter_map(|event| event.args.as_deref()).collect::<Vec<_>>().join(" ")
    }
}

fn hex(name: &str, args: &str) -> String {
    name.bytes().chain(args.bytes()).map(|byte| format!("{byte:02x}")).collect()
}

fn event(number: EventNumber, args: &str, by: (&str, u32), id: Option<EventId>) -> StoredEvent {
    StoredEvent {
        number,
        name: "v1.Said".to_owned(),
        args: Some(args.to_owned()),
        client_id: ClientId::from(by.0),
        session_id: SessionId::from(by.1.to_string().as_str()),
        id,
    }
}

/// The backend's log of one store.
#[derive(Clone, Debug, Default)]
struct Backend {
    log: Vec<StoredEvent>,
    /// Its wire carries no ids.
    without_ids: bool,
}

impl Backend {
    fn head(&self) -> u64 {
        self.log.len() as u64
    }

    /// Appends a batch that follows the head; whether it does.
    fn push(&mut self, expected_head: u64, batch: &[StoredEvent]) -> bool {
        let follows = expected_head == self.head();
        if follows {
            let kept = |event: &StoredEvent| StoredEvent {
                number: event.number.without_generation(),
                id: event.id.filter(|_| !self.without_ids),
                ..event.clone()
            };
            self.log.extend(batch.iter().map(kept));
        }
        follows
    }

    fn page(&self, after: u64, most: usize) -> Vec<StoredEvent> {
        self.log.iter().skip(usize::try_from(after).unwrap()).take(most).cloned().collect()
    }
}
