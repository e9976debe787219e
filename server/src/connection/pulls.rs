//! The pulls of a connection: each is one cursor, through which the backlog and all that follows goes.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use larder_wire::{
    Cursor, Exit, Failure, PageInfo, Payload, Peer, PullResponse, Refusal, RefusalKind, RequestId, ServerFrame,
    StoreId, Transport,
};

use super::{Action, Connection, MOST_ASKED, Now, UNSETTLED};
use crate::{
    auth::{Permit, Refused, Verb},
    hub::{News, Pulled},
    metrics::Count,
    storage::Page,
};

/// Bytes that may wait for the client while another page is read.
const ROOM: usize = 64 * 1024;

/// Pages that a larder client may have without having said that it took them. Who does not say so, as TypeScript clients of some servers, is
/// not waited for: they take what comes.
const WINDOW: usize = 8;

/// Pulls of one connection at once for each store it may have.
const PULLS_PER_STORE: usize = 2;

/// A permit is for one page at least, or a short one would be asked for again and again; but not for one that takes longer than this.
const LONGEST_PAGE: Duration = Duration::from_secs(30);

/// Questions to the rules at once. Who interrupts a pull does not take back what was asked for it.
const ASKING: usize = 32;

#[derive(Default)]
pub(super) struct Pulls {
    open: BTreeMap<RequestId, Pull>,
    /// Those that want a page, in order of asking.
    wanting: VecDeque<RequestId>,
    /// The read in progress, and whose it is; nobody's where that pull has ended meanwhile. One at a time, so that what waits stays bounded.
    reading: Option<(u64, Option<RequestId>)>,
    /// Which request waits for an answer of the rules; none where that pull has ended meanwhile.
    asking: BTreeMap<u64, Option<RequestId>>,
}

struct Pull {
    store: StoreId,
    payload: Option<Arc<Payload>>,
    /// The backend that the client has met; looked at once.
    met: Option<String>,
    cursor: u64,
    /// The last head that was heard of.
    heard: u64,
    live: bool,
    follows: bool,
    answered: bool,
    /// Whether it had all that there was. Only then the reader is late with what comes.
    caught_up: bool,
    owed: News,
    permit: Option<Held>,
    /// Pages that the client has not said to have taken, if it is one that says so.
    unacked: usize,
    /// It goes on when the client has taken a page.
    waits: bool,
    /// Neither wanting a page, nor reading, nor asking.
    idle: bool,
    /// How often the rules were asked since the last page.
    asked: u8,
}

/// A permit, and for how long it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    until: Duration,
    revision: u64,
    /// Until when the page that it was asked for may be shown all the same; none when that was shown.
    owes: Option<Duration>,
}

impl Held {
    fn is_fresh(self, now: Now) -> bool {
        self.is_unrevoked(now) && (now.at < self.until || self.owes.is_some_and(|until| now.at < until))
    }

    /// Whether the rules are still those that it was given by.
    pub(super) fn is_unrevoked(self, now: Now) -> bool {
        now.revision == self.revision
    }
}

impl Pulls {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn hear(&mut self, news: &BTreeMap<StoreId, News>) {
        for (id, pull) in self.open.iter_mut().filter(|(_, pull)| pull.follows) {
            // A page may have shown it before it was told.
            let Some(grown) = news.get(&pull.store).filter(|grown| grown.head > pull.cursor) else { continue };
            pull.heard = pull.heard.max(grown.head);
            if pull.caught_up {
                pull.owed.pushes += grown.pushes;
                pull.owed.bytes += grown.bytes;
            }
            if pull.idle && pull.cursor < pull.heard {
                pull.idle = false;
                self.wanting.push_back(id.clone());
            }
        }
    }

    /// What live pulls have not read yet. One that waits for its store to take pages has nothing here, and is in nobody's way.
    pub(super) fn owed(&self) -> News {
        self.open.values().filter(|pull| !pull.waits).fold(News::default(), |sum, pull| News {
            head: 0,
            pushes: sum.pushes + pull.owed.pushes,
            bytes: sum.bytes + pull.owed.bytes,
        })
    }
}

impl Connection {
    pub(super) fn hold(&self, permit: Permit, revision: u64, now: Now) -> Held {
        let longest = self.settings.permit;
        let holds = permit.valid_for.map_or(longest, |valid_for| valid_for.min(longest));
        let until = |holds| now.at.saturating_add(holds);
        Held { until: until(holds), revision, owes: Some(until(LONGEST_PAGE)) }
    }

    pub(super) fn begin_pull(
        &mut self,
        id: RequestId,
        store: StoreId,
        payload: Option<Arc<Payload>>,
        cursor: Option<Cursor>,
        live: bool,
        now: Now,
    ) {
        if self.pulls.open.contains_key(&id) {
            return self.close(1002, "a request id is in use already");
        }
        if self.pulls.open.len() >= self.settings.stores_per_connection.saturating_mul(PULLS_PER_STORE) {
            let said = "too many pulls at once; interrupt those that nobody needs".to_owned();
            return self.refuse_as(id, true, RefusalKind::TooLarge, said, now);
        }
        let (met, after) = cursor.map_or((None, 0), |cursor| (Some(cursor.backend_id), cursor.event_sequence_number));
        self.enter(&store);
        self.pulls.wanting.push_back(id.clone());
        self.pulls.open.insert(
            id,
            Pull {
                store,
                payload,
                met,
                cursor: after,
                heard: 0,
                live,
                follows: false,
                answered: false,
                caught_up: false,
                owed: News::default(),
                permit: None,
                unacked: 0,
                waits: false,
                idle: false,
                asked: 0,
            },
        );
    }

    /// Starts what can be started.
    pub(super) fn advance(&mut self, now: Now) {
        while self.closing.is_none() && self.pulls.reading.is_none() && self.outbox.bytes() <= ROOM {
            let Some(id) = self.pulls.wanting.pop_front() else { return };
            let ticket = self.ticket();
            let Some(pull) = self.pulls.open.get_mut(&id) else { continue };
            if pull.permit.is_some_and(|held| held.is_fresh(now)) {
                let (store, backend_id, after) = (pull.store.clone(), pull.met.clone(), pull.cursor);
                self.pulls.reading = Some((ticket, Some(id)));
                self.actions.push(Action::Pull { ticket, store, backend_id, after });
            } else if self.pulls.asking.len() >= ASKING {
                self.pulls.wanting.push_front(id);
                return;
            } else if pull.asked >= MOST_ASKED {
                self.end_pull(&id);
                self.refuse_as(id, true, RefusalKind::Unavailable, UNSETTLED.to_owned(), now);
            } else {
                pull.asked += 1;
                let (store, payload) = (pull.store.clone(), pull.payload.clone());
                self.pulls.asking.insert(ticket, Some(id));
                self.actions.push(Action::Authorize { ticket, verb: Verb::Pull, store, payload });
            }
        }
    }

    pub(super) fn pull_authorized(&mut self, ticket: u64, answer: Result<Held, Refused>, now: Now) {
        let Some(id) = self.pulls.asking.remove(&ticket).flatten() else { return };
        match answer {
            Ok(held) => {
                let Some(pull) = self.pulls.open.get_mut(&id) else { return };
                pull.permit = Some(held);
                let begins = pull.live && !pull.follows;
                let store = pull.store.clone();
                if begins {
                    self.begin_to_follow(&id, store);
                }
                self.pulls.wanting.push_front(id);
            }
            Err(refused) => {
                if self.end_pull(&id) {
                    let Refusal { kind, message, .. } = refused.into();
                    self.refuse_as(id, true, kind, message, now);
                }
            }
        }
    }

    /// Before the first page is read: what is appended meanwhile is heard of.
    fn begin_to_follow(&mut self, id: &RequestId, store: StoreId) {
        let others = self.pulls.open.values().any(|other| other.follows && other.store == store);
        if !others {
            self.actions.push(Action::Follow(store));
        }
        self.actions.push(Action::Count(Count::LivePulls { change: 1 }));
        if let Some(pull) = self.pulls.open.get_mut(id) {
            pull.follows = true;
        }
    }

    pub(super) fn page_read(&mut self, ticket: u64, outcome: Pulled, now: Now) {
        let Some((_, Some(id))) = self.pulls.reading.take_if(|(reading, _)| *reading == ticket) else { return };
        let Some(pull) = self.pulls.open.get_mut(&id) else { return };
        if !pull.permit.is_some_and(|held| held.is_fresh(now)) {
            // What was read is not shown to somebody who may no longer see it.
            self.pulls.wanting.push_front(id);
            return;
        }
        pull.asked = 0;
        if let Some(held) = &mut pull.permit {
            held.owes = None;
        }
        match outcome {
            // A larder client sees it by the head; this one would wait for ever, and be refused what it pushes.
            Pulled::Page { page, .. } if self.opening.peer == Peer::TypeScript && pull.cursor > page.head => {
                let said = format!(
                    "the log ends at e{}, before the e{} that this client has: it went back; who runs the server gives it a new \
                     identity with `larder-server restore`",
                    page.head, pull.cursor
                );
                self.end_pull(&id);
                self.refuse_as(id, true, RefusalKind::Invalid, said, now);
            }
            Pulled::Page { page, backend_id } => self.page(id, page, backend_id.to_string(), now),
            Pulled::OtherBackend { expected } => {
                let received = pull.met.take().unwrap_or_default();
                self.end_pull(&id);
                let failure = Failure::BackendIdMismatch { expected: expected.to_string(), received };
                self.exit(id, Exit::failure(failure), now);
            }
            Pulled::Failed(error) => {
                self.count(Count::StorageError);
                self.end_pull(&id);
                self.refuse_as(id, true, RefusalKind::Unavailable, error.told().to_owned(), now);
            }
        }
    }

    fn page(&mut self, id: RequestId, page: Page, backend_id: String, now: Now) {
        let Some(pull) = self.pulls.open.get_mut(&id) else { return };
        let last = page.events.last().map_or(pull.cursor, |last| last.event.seq_num);
        let events = page.events.len();
        pull.cursor = last;
        pull.heard = pull.heard.max(page.head);
        pull.met = None;
        let shown: usize = page.events.iter().map(|pulled| pulled.event.size()).sum();
        pull.owed.bytes = pull.owed.bytes.saturating_sub(shown);
        // A push has an event at least.
        pull.owed.pushes = pull.owed.pushes.min(usize::try_from(pull.heard.saturating_sub(last)).unwrap_or(usize::MAX));
        if self.opening.peer == Peer::Larder && self.opening.door == Transport::WebSocket {
            pull.unacked += 1;
        }
        let ends = pull.cursor >= pull.heard;
        if ends {
            pull.caught_up = true;
            pull.owed = News::default();
            pull.idle = true;
        } else if pull.unacked >= WINDOW {
            pull.waits = true;
        } else {
            self.pulls.wanting.push_back(id.clone());
        }
        let (live, first) = (pull.live, !std::mem::replace(&mut pull.answered, true));
        if events > 0 || first {
            let remaining = page.head.saturating_sub(last);
            let page_info = if remaining == 0 { PageInfo::NoMore } else { PageInfo::MoreKnown { remaining } };
            let response = PullResponse { batch: page.events, page_info, backend_id, head: Some(page.head) };
            self.count(Count::Page { events });
            self.send(&ServerFrame::Chunk { request_id: id.clone(), values: vec![response] }, now);
        }
        if ends && !live {
            self.end_pull(&id);
            self.exit(id, Exit::Ended, now);
        }
    }

    /// The client has taken a page.
    pub(super) fn taken(&mut self, id: &RequestId) {
        let Some(pull) = self.pulls.open.get_mut(id) else { return };
        pull.unacked = pull.unacked.saturating_sub(1);
        if std::mem::take(&mut pull.waits) {
            self.pulls.wanting.push_back(id.clone());
        }
    }

    /// Whether there was such a pull.
    pub(super) fn end_pull(&mut self, id: &RequestId) -> bool {
        let Some(pull) = self.pulls.open.remove(id) else { return false };
        // A later pull may have the same id: what was asked or read for this one is not for that one. But it goes on, and counts until it ends.
        self.pulls.wanting.retain(|wanting| wanting != id);
        let abandoned = |whose: &mut Option<RequestId>| drop(whose.take_if(|whose| whose == id));
        self.pulls.asking.values_mut().for_each(abandoned);
        self.pulls.reading.iter_mut().for_each(|(_, whose)| abandoned(whose));
        self.leave(&pull.store);
        if pull.follows {
            self.actions.push(Action::Count(Count::LivePulls { change: -1 }));
            let others = self.pulls.open.values().any(|other| other.follows && other.store == pull.store);
            if !others {
                self.actions.push(Action::Unfollow(pull.store));
            }
        }
        true
    }
}
