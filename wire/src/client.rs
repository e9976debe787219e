//! The frames that clients send.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    Limits, Peer, Request, RequestId, Tracing, WireError,
    depth::check_message,
    error::reason,
    request::{parse_payload, payload_out, split_tag},
};

/// One frame of a client.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientFrame {
    /// Are you there? Answered by [`ServerFrame::Pong`](crate::ServerFrame::Pong).
    Ping,
    /// A request; it is answered by chunks and an exit that carry its id.
    Request(Request),
    /// A chunk has arrived.
    Ack {
        /// The request it belongs to.
        request_id: RequestId,
    },
    /// The client no longer wants an answer. What a push has done stays done.
    Interrupt {
        /// The request it gives up.
        request_id: RequestId,
    },
    /// Nothing more will come. No known client sends it.
    Eof,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(rename = "_tag")]
    kind: String,
    id: Option<RequestId>,
    request_id: Option<RequestId>,
    tag: Option<String>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    // Raw, because a tracing client may write anything there, and nobody here is the worse for it.
    #[serde(borrow)]
    trace_id: Option<&'a RawValue>,
    #[serde(borrow)]
    span_id: Option<&'a RawValue>,
    #[serde(borrow)]
    sampled: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(tag = "_tag", rename_all_fields = "camelCase")]
enum Out<'a, P> {
    Ping,
    Request {
        id: &'a RequestId,
        tag: String,
        payload: P,
        #[serde(flatten)]
        tracing: &'a Tracing,
        headers: &'a [(String, String)],
    },
    Ack {
        request_id: &'a RequestId,
    },
    Interrupt {
        request_id: &'a RequestId,
    },
    Eof,
}

impl ClientFrame {
    /// Reads one frame.
    ///
    /// # Errors
    /// [`WireError::BadRequest`] and [`WireError::RequestTooDeep`] where the asker can be told, and the other [`WireError`]s where nobody can.
    /// Arguments that are a little too deep are read: [`check_batch`](crate::check_batch) names their event.
    pub fn decode(text: &str, limits: &Limits) -> Result<Self, WireError> {
        check_message(text, limits).map_err(|error| whose(text, error))?;
        let envelope: Envelope<'_> =
            serde_json::from_str(text).map_err(|error| WireError::not_a_frame(reason(&error)))?;
        match envelope.kind.as_str() {
            "Ping" => Ok(Self::Ping),
            "Eof" => Ok(Self::Eof),
            "Ack" => Ok(Self::Ack { request_id: named(envelope.request_id)? }),
            "Interrupt" => Ok(Self::Interrupt { request_id: named(envelope.request_id)? }),
            "Request" => request(envelope).map(Self::Request),
            _ => Err(WireError::not_a_frame("its `_tag` is none of a client's")),
        }
    }

    /// Writes the frame for a server. A TypeScript one gets no event ids.
    #[must_use]
    pub fn encode(&self, peer: Peer) -> String {
        let out = match self {
            Self::Ping => Out::Ping,
            Self::Eof => Out::Eof,
            Self::Ack { request_id } => Out::Ack { request_id },
            Self::Interrupt { request_id } => Out::Interrupt { request_id },
            Self::Request(request) => Out::Request {
                id: &request.id,
                tag: request.tag(),
                payload: payload_out(request, peer),
                tracing: &request.tracing,
                headers: &request.headers,
            },
        };
        // Strings, numbers and raw JSON: there is nothing that has no text.
        serde_json::to_string(&out).unwrap_or_default()
    }
}

/// Whose request is too deep, if that can be read. It goes without recursion: the deep part stays a text.
fn whose(text: &str, error: WireError) -> WireError {
    let WireError::TooDeep { limit, .. } = error else { return error };
    match serde_json::from_str(text) {
        Ok(Envelope { kind, id: Some(id), .. }) if kind == "Request" => {
            id.check().map_or(error, |id| WireError::RequestTooDeep { id, limit })
        }
        _ => error,
    }
}

fn named(id: Option<RequestId>) -> Result<RequestId, WireError> {
    id.ok_or_else(|| WireError::not_a_frame("`requestId` is missing"))?.check()
}

fn request(envelope: Envelope<'_>) -> Result<Request, WireError> {
    let id = envelope.id.ok_or_else(|| WireError::not_a_frame("`id` is missing"))?.check()?;
    let bad = |reason: &str| WireError::BadRequest { id: id.clone(), reason: reason.to_owned() };
    let tag = envelope.tag.ok_or_else(|| bad("`tag` is missing"))?;
    let (transport, verb) = split_tag(&tag).ok_or_else(|| bad("its tag is none of this protocol"))?;
    let payload = envelope.payload.ok_or_else(|| bad("`payload` is missing"))?;
    let (store_id, payload, call) = parse_payload(transport, verb, payload.get()).map_err(|reason| bad(&reason))?;
    let tracing = Tracing {
        trace_id: lenient(envelope.trace_id),
        span_id: lenient(envelope.span_id),
        sampled: lenient(envelope.sampled),
    };
    let headers = lenient(envelope.headers).unwrap_or_default();
    Ok(Request { id, transport, store_id, payload, call, tracing, headers })
}

fn lenient<T: DeserializeOwned>(raw: Option<&RawValue>) -> Option<T> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}
