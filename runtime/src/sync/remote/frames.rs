//! What is asked of a server, and what its frames say: pure.

use std::{borrow::Cow, collections::BTreeMap};

use larder_wire::{
    Call, Cause, ClientFrame, Cursor, Exit, Failure, Limits, PageInfo, Payload, Peer, PullResponse, RefusalKind,
    Request, RequestId, ServerFrame, Tracing, Transport, WireError,
};
use serde_json::value::RawValue;

use crate::{
    error::one_line,
    event::{EventId, EventNumber, StoredEvent},
    sync::{BackendError, PullPage, PushAnswer, Refusal, Remaining},
};

#[cfg(test)]
mod tests;

/// A pull, as it is asked on a connection.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) sync_id: String,
    pub(super) after: u64,
    pub(super) backend_id: Option<String>,
    pub(super) live: bool,
    pub(super) payload: Option<Payload>,
}

/// A push, as it is asked on a connection.
#[derive(Clone, Debug)]
pub(super) struct Push<'a> {
    pub(super) sync_id: Cow<'a, str>,
    pub(super) events: Cow<'a, [StoredEvent]>,
    /// The id of the log that they follow.
    pub(super) backend_id: String,
    pub(super) payload: Option<Payload>,
}

/// Writes requests as a server of a kind reads them at one of its doors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer {
    pub(super) peer: Peer,
    pub(super) transport: Transport,
}

/// A connection has as many stores as its server lets it have. It is inside [`BackendError::Other`]: who has another connection asks there.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Full {
    pub(super) stores: usize,
    reason: String,
}

/// The requests of one connection that have no end yet.
#[derive(Debug, Default)]
pub(super) struct Frames {
    limits: Limits,
    open: BTreeMap<u64, Asked>,
}

#[derive(Clone, Debug)]
enum Asked {
    /// Events behind this number: the wire has no word for that where the log's id is not known.
    Pull { after: u64 },
    /// With the id of the log that the events were said to follow: the wire's answer does not repeat it.
    Push { backend_id: String },
}

/// What a frame says.
#[derive(Debug)]
// An answer over HTTP is one to a single request.
#[cfg_attr(not(feature = "ws"), expect(dead_code, reason = "ids tell the requests of a socket apart"))]
pub(super) enum Heard {
    /// A page of a pull.
    Page { id: u64, page: PullPage },
    /// A pull has ended; without an error because it was not live.
    PullEnded { id: u64, error: Option<BackendError> },
    /// The server is there.
    Pong,
    /// A push has its answer.
    Pushed { id: u64, answer: Result<PushAnswer, BackendError> },
    /// All that is open has failed.
    Broken { reason: String },
}

impl Writer {
    pub(super) fn pull(self, id: u64, pull: Pull) -> String {
        let Pull { sync_id, after, backend_id, live, payload } = pull;
        let cursor = backend_id.map(|backend_id| Cursor { backend_id, event_sequence_number: after });
        self.request(id, sync_id, payload, Call::Pull { cursor, live })
    }

    /// The arguments of events are written as they are.
    ///
    /// # Errors
    /// [`BackendError::Other`]: arguments that are no JSON, which nobody can send. [`BackendError::Refused`]: no message has room for it; a server
    /// would end the connection of all stores.
    pub(super) fn push(self, id: u64, push: Push<'_>) -> Result<String, BackendError> {
        let Push { sync_id, events, backend_id, payload } = push;
        let batch = events.iter().map(to_wire).collect::<Result<_, _>>()?;
        let text = self.request(id, sync_id.into_owned(), payload, Call::Push { batch, backend_id: Some(backend_id) });
        let (bytes, most) = (text.len(), Limits::MESSAGE_BYTES);
        if bytes > most {
            let reason = format!("a push of {} events has {bytes} bytes, and a message {most} at most", events.len());
            return Err(BackendError::Refused { refusal: Refusal::TooLarge, reason });
        }
        Ok(text)
    }

    fn request(self, id: u64, store_id: String, payload: Option<Payload>, call: Call) -> String {
        let request = Request {
            id: request_id(id),
            transport: self.transport,
            store_id,
            payload,
            call,
            tracing: Tracing::default(),
            headers: Vec::new(),
        };
        ClientFrame::Request(request).encode(self.peer)
    }

    /// Says that a page was taken, so that the server sends more of them.
    #[cfg(feature = "ws")]
    pub(super) fn ack(self, id: u64) -> String {
        ClientFrame::Ack { request_id: request_id(id) }.encode(self.peer)
    }

    /// Says that nobody waits for an answer any more.
    #[cfg(feature = "ws")]
    pub(super) fn interrupt(self, id: u64) -> String {
        ClientFrame::Interrupt { request_id: request_id(id) }.encode(self.peer)
    }

    #[cfg(feature = "ws")]
    pub(super) fn ping(self) -> String {
        ClientFrame::Ping.encode(self.peer)
    }
}

impl Frames {
    /// Whether no request waits for anything.
    #[cfg(any(test, feature = "ws"))]
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// A pull of what is behind a number was asked.
    pub(super) fn pull(&mut self, id: u64, after: u64) {
        self.open.insert(id, Asked::Pull { after });
    }

    /// A push was asked, of what follows the log with this id.
    pub(super) fn push(&mut self, id: u64, backend_id: String) {
        self.open.insert(id, Asked::Push { backend_id });
    }

    /// Gives up a request; whether it was open.
    #[cfg(any(test, feature = "ws"))]
    pub(super) fn give_up(&mut self, id: u64) -> bool {
        self.open.remove(&id).is_some()
    }

    /// What a text from the server says. Answers to what was given up say nothing.
    ///
    /// # Errors
    /// [`WireError`]: it is no frame, or too large.
    pub(super) fn hear(&mut self, text: &str) -> Result<Vec<Heard>, WireError> {
        Ok(match ServerFrame::decode(text, &self.limits)? {
            ServerFrame::Pong => vec![Heard::Pong],
            ServerFrame::Chunk { request_id, values } => match self.known(&request_id) {
                Some((id, Asked::Pull { after })) => values.into_iter().map(|value| page(id, after, value)).collect(),
                _ => Vec::new(),
            },
            ServerFrame::Exit { request_id, exit } => match self.known(&request_id) {
                Some((id, asked)) => {
                    self.open.remove(&id);
                    vec![ended(id, asked, exit)]
                }
                None => Vec::new(),
            },
            ServerFrame::Defect(defect) => {
                vec![Heard::Broken { reason: format!("the server says: {}", one_line(&defect.to_string())) }]
            }
        })
    }

    fn known(&self, id: &RequestId) -> Option<(u64, Asked)> {
        let id = match id {
            RequestId::Number(number) => *number,
            RequestId::Text(text) => text.parse().ok()?,
        };
        self.open.get(&id).map(|asked| (id, asked.clone()))
    }
}

fn page(id: u64, after: u64, response: PullResponse) -> Heard {
    let PullResponse { batch, page_info, backend_id, head } = response;
    let remaining = match page_info {
        PageInfo::NoMore => Remaining::Nothing,
        PageInfo::MoreKnown { remaining } => Remaining::Known(remaining),
        PageInfo::MoreUnknown => Remaining::Some,
    };
    let events = batch.iter().filter(|pulled| pulled.event.seq_num > after).map(|pulled| from_wire(&pulled.event));
    let events = events.collect();
    Heard::Page { id, page: PullPage::new(events, remaining, backend_id).head(head) }
}

fn request_id(id: u64) -> RequestId {
    RequestId::Text(id.to_string())
}

fn to_wire(event: &StoredEvent) -> Result<larder_wire::Event, BackendError> {
    let raw = |args: &String| RawValue::from_string(args.clone());
    let args = event.args.as_ref().map(raw).transpose();
    let args =
        args.map_err(|error| BackendError::Other(format!("the arguments of {}: {error}", event.number).into()))?;
    let number = event.number.global();
    Ok(larder_wire::Event {
        name: event.name.clone(),
        args,
        seq_num: number,
        parent_seq_num: number.saturating_sub(1),
        client_id: event.client_id.to_string(),
        session_id: event.session_id.to_string(),
        id: event.id.map(|EventId(id)| larder_wire::EventId(id.to_be_bytes())),
    })
}

fn from_wire(event: &larder_wire::Event) -> StoredEvent {
    StoredEvent {
        number: EventNumber::synced(event.seq_num),
        name: event.name.clone(),
        args: event.args_text().map(str::to_owned),
        client_id: event.client_id.as_str().into(),
        session_id: event.session_id.as_str().into(),
        id: event.id.map(|id| EventId(u128::from_be_bytes(id.0))),
    }
}

fn ended(id: u64, asked: Asked, exit: Exit) -> Heard {
    match (asked, exit) {
        (Asked::Pull { .. }, Exit::Ended) => Heard::PullEnded { id, error: None },
        (Asked::Pull { .. }, Exit::Failed(cause)) => Heard::PullEnded { id, error: Some(refused(&cause)) },
        (Asked::Pull { .. }, Exit::Pushed | Exit::Pong) => Heard::PullEnded {
            id,
            error: Some(BackendError::Other("the server answers a pull as it does a push".into())),
        },
        (Asked::Push { backend_id }, Exit::Pushed | Exit::Ended) => {
            Heard::Pushed { id, answer: Ok(PushAnswer::Accepted { backend_id }) }
        }
        (Asked::Push { .. }, Exit::Failed(cause)) => Heard::Pushed { id, answer: push_refused(&cause) },
        (Asked::Push { .. }, Exit::Pong) => {
            Heard::Pushed { id, answer: Err(BackendError::Other("the server answers a push as it does a ping".into())) }
        }
    }
}

fn push_refused(cause: &Cause) -> Result<PushAnswer, BackendError> {
    match cause.found_failure() {
        Some(Failure::ServerAhead { minimum_expected, .. }) => Ok(PushAnswer::Ahead { head: minimum_expected }),
        Some(Failure::BackendIdMismatch { expected, .. }) => Ok(PushAnswer::OtherBackend { backend_id: expected }),
        _ => Err(refused(cause)),
    }
}

fn refused(cause: &Cause) -> BackendError {
    match cause.found_failure() {
        Some(Failure::BackendIdMismatch { expected, .. }) => BackendError::OtherBackend { backend_id: expected },
        Some(Failure::Refused(larder_wire::Refusal { kind: RefusalKind::Full, message, limit: Some(stores) })) => {
            let stores = usize::try_from(stores).unwrap_or(usize::MAX);
            BackendError::Other(Full { stores, reason: one_line(&message).to_string() }.into())
        }
        Some(Failure::Refused(larder_wire::Refusal { kind, message, .. })) => match kind {
            RefusalKind::Unauthenticated | RefusalKind::Forbidden => BackendError::Unauthorized { reason: message },
            RefusalKind::Unavailable => BackendError::Offline { reason: message },
            RefusalKind::TooFast => BackendError::Refused { refusal: Refusal::TooFast, reason: message },
            RefusalKind::TooLarge | RefusalKind::Full => {
                BackendError::Refused { refusal: Refusal::TooLarge, reason: message }
            }
            RefusalKind::Invalid => BackendError::Refused { refusal: Refusal::Invalid, reason: message },
            _ => failed("the server refuses", &message),
        },
        Some(Failure::ServerAhead { minimum_expected, .. }) => BackendError::Other(
            format!("the server's head is e{minimum_expected}, which is no answer to a pull").into(),
        ),
        Some(Failure::Unknown { cause, .. }) => failed("the server failed", &cause.to_string()),
        None if cause.is_interrupt() => BackendError::Offline { reason: "the server gave the request up".to_owned() },
        None => failed("the server could not answer", &format!("{cause:?}")),
    }
}

fn failed(what: &str, said: &str) -> BackendError {
    BackendError::Other(format!("{what}: {}", one_line(said)).into())
}
