//! One connection, as a state machine: frames and results come in, frames and things to do go out.
//!
//! It is pure: no I/O, no clock, no locks. The doors carry out its [`Action`]s and bring back what became of them as [`Done`].

mod outbox;
pub(crate) mod payloads;
mod pulls;
mod pushes;
mod requests;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use larder_wire::{
    Bucket, Call, Cause, ClientFrame, Event, Exit, Failure, Payload, Peer, Refusal, RefusalKind, Request, RequestId,
    ServerFrame, StoreId, Transport, WireError,
};

use self::{outbox::Outbox, payloads::Payloads, pulls::Pulls, pushes::Pushes, requests::Pings};
use crate::{
    auth::{Permit, Refused, Verb},
    hub::{News, Pulled, Pushed},
    metrics::Count,
    settings::Settings,
};

/// When something happens: time since the connection opened, and how often the rules have changed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Now {
    pub(crate) at: Duration,
    pub(crate) revision: u64,
}

/// How a connection begins.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) peer: Peer,
    pub(crate) door: Transport,
    /// The store of the URL. A TypeScript client has one.
    pub(crate) store: Option<StoreId>,
    /// The payload of the URL or header, for requests that have none.
    pub(crate) payload: Option<Arc<Payload>>,
    /// Whether opening it was permitted to somebody known.
    pub(crate) authenticated: bool,
}

/// What the connection wants done.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    Authorize { ticket: u64, verb: Verb, store: StoreId, payload: Option<Arc<Payload>> },
    Push { ticket: u64, store: StoreId, backend_id: Option<String>, batch: Vec<Event> },
    Pull { ticket: u64, store: StoreId, backend_id: Option<String>, after: u64 },
    Follow(StoreId),
    Unfollow(StoreId),
    Count(Count),
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Done {
    /// An answer that was asked for when the rules had the revision.
    Authorized {
        ticket: u64,
        revision: u64,
        answer: Result<Permit, Refused>,
    },
    Pushed {
        ticket: u64,
        outcome: Pushed,
    },
    Pulled {
        ticket: u64,
        outcome: Pulled,
    },
}

/// How the connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Close {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
}

/// How much a client may still send.
#[derive(Debug)]
pub(crate) struct Rates {
    pushes: Bucket,
    bytes: Bucket,
    /// Bytes beyond the rate that are answered before the connection is given up.
    patience: Bucket,
}

impl Rates {
    pub(crate) fn new(settings: &Settings) -> Self {
        let bytes = settings.bytes_per_second;
        Self {
            pushes: Bucket::new(u64::from(settings.pushes_per_second)),
            bytes: Bucket::holding(bytes.max(settings.wire.message_bytes as u64), bytes),
            patience: Bucket::new(bytes.saturating_mul(4)),
        }
    }
}

/// The reader never takes what waits for it: this long without any progress.
const STALLED: Duration = Duration::from_secs(30);

/// Bytes of a client's frame of a socket beside what is in it (RFC 6455, section 5.2): two, and a mask of four.
const HEAD: usize = 6;

/// How often the rules are asked for one push or page while they say each time that they have changed meanwhile, and what is said then.
const MOST_ASKED: u8 = 16;
const UNSETTLED: &str = "the access rules change faster than they can be asked; try again in a moment";

pub(crate) struct Connection {
    opening: Opening,
    settings: Settings,
    tickets: u64,
    pulls: Pulls,
    pushes: Pushes,
    pings: Pings,
    payloads: Payloads,
    /// How many pulls and pushes each store has.
    stores: BTreeMap<StoreId, usize>,
    outbox: Outbox,
    actions: Vec<Action>,
    rates: Rates,
    over_since: Option<Duration>,
    stopping: bool,
    closing: Option<Close>,
}

impl Connection {
    pub(crate) fn new(opening: Opening, settings: Settings) -> Self {
        Self {
            rates: Rates::new(&settings),
            opening,
            settings,
            tickets: 0,
            pulls: Pulls::default(),
            pushes: Pushes::default(),
            pings: Pings::new(),
            payloads: Payloads::default(),
            stores: BTreeMap::new(),
            outbox: Outbox::default(),
            actions: Vec::new(),
            over_since: None,
            stopping: false,
            closing: None,
        }
    }

    /// Goes on from what the client has used up before, on the same socket.
    pub(crate) fn with_rates(self, rates: Rates) -> Self {
        Self { rates, ..self }
    }

    pub(crate) fn into_rates(self) -> Rates {
        self.rates
    }

    /// A text that the client sent.
    pub(crate) fn frame(&mut self, text: &str, now: Now) {
        if self.closing.is_some() {
            return;
        }
        let in_time = self.spend(text.len(), now);
        if self.closing.is_some() {
            return;
        }
        match ClientFrame::decode(text, &self.settings.wire) {
            Ok(ClientFrame::Ping) => self.send(&ServerFrame::Pong, now),
            Ok(ClientFrame::Ack { request_id }) => self.taken(&request_id),
            Ok(ClientFrame::Eof) => {}
            Ok(ClientFrame::Interrupt { request_id }) => self.interrupt(&request_id, now),
            Ok(ClientFrame::Request(request)) if in_time => self.request(request, now),
            Ok(ClientFrame::Request(Request { id, call, .. })) => {
                let said = format!("more than {} bytes in a second; send less at once", self.settings.bytes_per_second);
                self.refuse(id, &call, RefusalKind::TooFast, said, now);
            }
            Err(error) => self.unreadable(error, now),
        }
        self.settle(now);
    }

    /// A frame of the socket that is none of the client's, as a ping: of no use here, and bytes all the same.
    pub(crate) fn control(&mut self, bytes: usize, now: Now) {
        self.spend(bytes + HEAD, now);
    }

    /// Whether so many bytes were within the rate. Far more than that end the connection.
    fn spend(&mut self, bytes: usize, now: Now) -> bool {
        let in_time = self.rates.bytes.take(bytes as u64, now.at);
        if !in_time && !self.rates.patience.take(bytes as u64, now.at) {
            self.count(Count::Refused(RefusalKind::TooFast));
            self.close(1008, "far more bytes a second than a connection may send");
        }
        in_time
    }

    /// A defect ends all that the client has in flight: it is for texts of which nobody knows what they ask.
    fn unreadable(&mut self, error: WireError, now: Now) {
        let said = error.to_string();
        match error {
            WireError::BadRequest { id, reason } => self.exit(id, Exit::die(reason), now),
            WireError::RequestTooDeep { id, .. } => self.refuse_as(id, false, RefusalKind::TooLarge, said, now),
            _ => {
                self.count(Count::Defect);
                self.send(&ServerFrame::Defect(said.into()), now);
            }
        }
    }

    fn interrupt(&mut self, id: &RequestId, now: Now) {
        // A push is done or will be: giving up its answer does not undo it, and the answer does no harm.
        if self.end_pull(id) {
            self.exit(id.clone(), Exit::Failed(Cause::Interrupt), now);
        }
    }

    /// What became of an action.
    pub(crate) fn done(&mut self, done: Done, now: Now) {
        match done {
            Done::Authorized { ticket, revision, answer } => {
                self.opening.authenticated |= answer.is_ok();
                let held = answer.map(|permit| self.hold(permit, revision, now));
                if let Some(id) = self.pings.remove(&ticket) {
                    self.ping_authorized(id, held.err(), now);
                } else if self.pushes.has(ticket) {
                    self.push_authorized(ticket, held, now);
                } else {
                    self.pull_authorized(ticket, held, now);
                }
            }
            Done::Pushed { ticket, outcome } => self.push_done(ticket, outcome, now),
            Done::Pulled { ticket, outcome } => self.page_read(ticket, outcome, now),
        }
        self.settle(now);
    }

    /// Logs that have grown.
    pub(crate) fn news(&mut self, news: BTreeMap<StoreId, News>, now: Now) {
        self.pulls.hear(&news);
        self.settle(now);
    }

    /// The reader takes something, be it a part of a long text.
    pub(crate) fn takes(&mut self, now: Now) {
        self.outbox.takes(now.at);
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Now) {
        if !self.opening.authenticated && now.at >= self.settings.unauthenticated {
            return self.close(1008, "no request was permitted in time; send a payload that is");
        }
        let waits_long = self.outbox.waiting_since().is_some_and(|since| now.at >= since.saturating_add(STALLED));
        let owed = self.pulls.owed();
        let frames = self.outbox.frames() + owed.pushes;
        let bytes = self.outbox.bytes() + owed.bytes;
        let over = frames > self.settings.queue_frames || bytes > self.settings.queue_bytes;
        self.over_since = over.then(|| self.over_since.unwrap_or(now.at));
        let too_long = self.over_since.is_some_and(|since| now.at >= since.saturating_add(self.settings.slow_reader));
        if waits_long || too_long {
            self.count(Count::SlowReader);
            return self.close(1013, "more is waiting than a reader may leave; connect and pull again");
        }
        self.settle(now);
    }

    /// No more requests; it closes when what is in progress has ended.
    pub(crate) fn stop(&mut self, now: Now) {
        self.stopping = true;
        self.settle(now);
    }

    /// The next text for the client.
    pub(crate) fn pop(&mut self, now: Now) -> Option<String> {
        let text = self.outbox.pop(now.at)?;
        self.advance(now);
        Some(text)
    }

    pub(crate) fn has_outgoing(&self) -> bool {
        !self.outbox.is_empty()
    }

    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(crate) fn closing(&self) -> Option<&Close> {
        self.closing.as_ref()
    }

    /// Whether nothing is in progress.
    pub(crate) fn is_idle(&self) -> bool {
        self.pulls.is_empty() && self.pushes.is_empty() && self.pings.is_empty()
    }

    fn settle(&mut self, now: Now) {
        self.advance(now);
        if self.stopping && self.pushes.is_empty() {
            self.close(1001, "the server is stopping");
        }
    }

    fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    fn enter(&mut self, store: &StoreId) {
        *self.stores.entry(store.clone()).or_default() += 1;
    }

    fn leave(&mut self, store: &StoreId) {
        if let Some(uses) = self.stores.get_mut(store) {
            *uses -= 1;
            if *uses == 0 {
                self.stores.remove(store);
            }
        }
    }

    fn count(&mut self, count: Count) {
        self.actions.push(Action::Count(count));
    }

    fn send(&mut self, frame: &ServerFrame, now: Now) {
        if self.closing.is_some() {
            return;
        }
        self.outbox.push(frame.encode(self.opening.peer), now.at);
        // What the limits allow for a while is bounded, too.
        let far_over = self.outbox.frames() > self.settings.queue_frames.saturating_mul(4)
            || self.outbox.bytes() > self.settings.queue_bytes.max(self.settings.wire.message_bytes).saturating_mul(4);
        if far_over {
            self.count(Count::SlowReader);
            self.close(1013, "far more is waiting than a reader may leave; connect and pull again");
        }
    }

    fn exit(&mut self, request_id: RequestId, exit: Exit, now: Now) {
        self.send(&ServerFrame::Exit { request_id, exit }, now);
    }

    fn refuse(&mut self, id: RequestId, call: &Call, kind: RefusalKind, message: String, now: Now) {
        self.refuse_as(id, matches!(call, Call::Pull { .. }), kind, message, now);
    }

    /// Answers that something is refused. A TypeScript client gives up syncing for good when a pull fails, and connects again when its
    /// connection ends: so its connection ends.
    fn refuse_as(&mut self, id: RequestId, is_pull: bool, kind: RefusalKind, message: String, now: Now) {
        self.count(Count::Refused(kind));
        let refusal = match kind {
            RefusalKind::Full => Refusal::full(self.settings.stores_per_connection, message),
            _ => Refusal::new(kind, message),
        };
        let typescript = self.opening.peer == Peer::TypeScript && self.opening.door == Transport::WebSocket;
        if typescript && is_pull {
            return match kind {
                RefusalKind::Unauthenticated | RefusalKind::Forbidden => self.close(1008, "not permitted"),
                RefusalKind::TooFast => self.close(1013, "too fast; connect again in a moment"),
                RefusalKind::Unavailable => self.close(1013, "not available; connect again in a moment"),
                _ => self.exit(id, Exit::failure(Failure::Refused(refusal)), now),
            };
        }
        self.exit(id, Exit::failure(Failure::Refused(refusal)), now);
    }

    fn close(&mut self, code: u16, reason: &'static str) {
        if self.closing.is_none() {
            self.closing = Some(Close { code, reason });
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unauthenticated(why) => Self::new(RefusalKind::Unauthenticated, why),
            Refused::Forbidden(why) => Self::new(RefusalKind::Forbidden, why),
            Refused::Unavailable(why) => Self::new(RefusalKind::Unavailable, why),
        }
    }
}
