//! What clients ask.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Event, Limits, WireError, error::reason, option};

/// Names a request among those of its connection. Its type on the wire tells the version of the asker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequestId {
    /// A JSON number: the version of LiveStore after 0.4.
    Number(u64),
    /// A JSON string: LiveStore 0.4, and larder.
    Text(String),
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl RequestId {
    /// Its length as text, in bytes.
    pub(crate) fn check(self) -> Result<Self, WireError> {
        match &self {
            Self::Text(text) if text.len() > Limits::REQUEST_ID_BYTES => Err(WireError::not_a_frame(format!(
                "the id of a request has {} bytes, at most {} are taken; count requests",
                text.len(),
                Limits::REQUEST_ID_BYTES
            ))),
            _ => Ok(self),
        }
    }
}

/// Which door a request goes through; its tag says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Frames on a WebSocket.
    WebSocket,
    /// One request a POST.
    Http,
}

impl Transport {
    /// As the URL's `transport` has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "ws",
            Self::Http => "http",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::WebSocket => "SyncWsRpc.",
            Self::Http => "SyncHttpRpc.",
        }
    }
}

/// What the app tells the server of who asks, such as a token. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payload(
    /// Any JSON.
    pub Value,
);

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Payload(..)")
    }
}

/// From where on a pull is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// The backend that gave the last event.
    pub backend_id: String,
    /// The last event that the client has.
    pub event_sequence_number: u64,
}

/// What a tracing client adds to each request. Nobody here uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tracing {
    /// The trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The span in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// Whether it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled: Option<bool>,
}

/// One request of a client. Its `Debug` shows the names of headers alone, for their values may be secrets.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// Its name on this connection.
    pub id: RequestId,
    /// The door it goes through.
    pub transport: Transport,
    /// The store, as the client wrote it; a TypeScript client's URL says it, too, and is what counts.
    pub store_id: String,
    /// Who asks, if the app says so.
    pub payload: Option<Payload>,
    /// What is asked.
    pub call: Call,
    /// What a tracing client adds.
    pub tracing: Tracing,
    /// Headers of the RPC layer, empty in practice.
    pub headers: Vec<(String, String)>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// The events after a cursor, and, if `live`, all that follow.
    Pull {
        /// The last event that the client has; none before the first contact.
        cursor: Option<Cursor>,
        /// Whether the pull goes on with what comes later. Never over HTTP.
        live: bool,
    },
    /// Take these events.
    Push {
        /// The events, in order.
        batch: Vec<Event>,
        /// The backend that the client has met; none before the first contact.
        backend_id: Option<String>,
    },
    /// Are you there? Over HTTP alone: a WebSocket has a frame for it.
    Ping,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("transport", &self.transport)
            .field("store_id", &self.store_id)
            .field("payload", &self.payload)
            .field("call", &self.call)
            .field("tracing", &self.tracing)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

impl Request {
    /// Its tag, such as `SyncWsRpc.Pull`.
    #[must_use]
    pub fn tag(&self) -> String {
        let verb = match self.call {
            Call::Pull { .. } => "Pull",
            Call::Push { .. } => "Push",
            Call::Ping => "Ping",
        };
        format!("{}{verb}", self.transport.prefix())
    }
}

/// The tag's door and verb.
pub(crate) fn split_tag(tag: &str) -> Option<(Transport, &str)> {
    [Transport::WebSocket, Transport::Http]
        .into_iter()
        .find_map(|transport| tag.strip_prefix(transport.prefix()).map(|verb| (transport, verb)))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PullPayload {
    store_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<Payload>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    live: Option<bool>,
    #[serde(with = "option")]
    cursor: Option<Cursor>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PushPayload<B> {
    store_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<Payload>,
    batch: B,
    #[serde(with = "option")]
    backend_id: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PingPayload {
    store_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<Payload>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum PayloadOut<'a> {
    Pull(PullPayload),
    Push(PushPayload<Vec<crate::response::EventOut<'a>>>),
    Ping(PingPayload),
}

/// Store, payload and call of a verb's payload.
pub(crate) type Parsed = (String, Option<Payload>, Call);

pub(crate) fn parse_payload(transport: Transport, verb: &str, text: &str) -> Result<Parsed, String> {
    let said = |error: serde_json::Error| reason(&error);
    match verb {
        "Pull" => {
            let PullPayload { store_id, payload, live, cursor } = serde_json::from_str(text).map_err(said)?;
            let live = live.unwrap_or(false) && transport == Transport::WebSocket;
            Ok((store_id, payload, Call::Pull { cursor, live }))
        }
        "Push" => {
            let PushPayload::<Vec<Event>> { store_id, payload, batch, backend_id } =
                serde_json::from_str(text).map_err(said)?;
            Ok((store_id, payload, Call::Push { batch, backend_id }))
        }
        "Ping" => {
            let PingPayload { store_id, payload } = serde_json::from_str(text).map_err(said)?;
            Ok((store_id, payload, Call::Ping))
        }
        _ => Err("its tag is none of `Pull`, `Push` and `Ping`".to_owned()),
    }
}

pub(crate) fn payload_out(request: &Request, peer: crate::Peer) -> PayloadOut<'_> {
    let (store_id, payload) = (request.store_id.clone(), request.payload.clone());
    match &request.call {
        Call::Pull { cursor, live } => {
            let live = (request.transport == Transport::WebSocket).then_some(*live);
            PayloadOut::Pull(PullPayload { store_id, payload, live, cursor: cursor.clone() })
        }
        Call::Push { batch, backend_id } => {
            let batch = batch.iter().map(|event| crate::response::EventOut::new(event, peer)).collect();
            PayloadOut::Push(PushPayload { store_id, payload, batch, backend_id: backend_id.clone() })
        }
        Call::Ping => PayloadOut::Ping(PingPayload { store_id, payload }),
    }
}
