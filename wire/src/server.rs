//! The frames that servers send.

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::{
    Exit, Limits, Peer, PullResponse, RequestId, WireError, depth::check_message, error::reason,
    response::PullResponseOut,
};

/// One frame of a server.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerFrame {
    /// The answer to a ping.
    Pong,
    /// A part of the answer to a pull.
    Chunk {
        /// The pull.
        request_id: RequestId,
        /// Its pages; one in practice.
        values: Vec<PullResponse>,
    },
    /// The end of a request.
    Exit {
        /// The request.
        request_id: RequestId,
        /// How it ended.
        exit: Exit,
    },
    /// What was sent is garbage. It fails everything that the client has in flight, so it answers nothing but garbage.
    Defect(Value),
}

#[derive(Serialize)]
#[serde(tag = "_tag", rename_all_fields = "camelCase")]
enum Out<'a> {
    Pong,
    Chunk { request_id: &'a RequestId, values: Vec<PullResponseOut<'a>> },
    Exit { request_id: &'a RequestId, exit: Value },
    Defect { defect: &'a Value },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(rename = "_tag")]
    kind: String,
    request_id: Option<RequestId>,
    #[serde(borrow)]
    values: Option<&'a RawValue>,
    exit: Option<Value>,
    defect: Option<Value>,
}

impl ServerFrame {
    /// Writes the frame for a client. A TypeScript one gets no event ids and no head.
    #[must_use]
    pub fn encode(&self, peer: Peer) -> String {
        let out = match self {
            Self::Pong => Out::Pong,
            Self::Chunk { request_id, values } => {
                Out::Chunk { request_id, values: values.iter().map(|value| value.out(peer)).collect() }
            }
            Self::Exit { request_id, exit } => Out::Exit { request_id, exit: exit.encode(request_id) },
            Self::Defect(defect) => Out::Defect { defect },
        };
        // Strings, numbers and raw JSON: there is nothing that has no text.
        serde_json::to_string(&out).unwrap_or_default()
    }

    /// Reads one frame of a WebSocket.
    ///
    /// The events of a page may have arguments of any depth: larder's server takes none beyond the limit, but others do. Here they stay a text, and
    /// who cannot read one lacks an event, and not its connection.
    ///
    /// # Errors
    /// [`WireError`]: it is too long, too deep or no frame.
    pub fn decode(text: &str, limits: &Limits) -> Result<Self, WireError> {
        match check_message(text, limits) {
            Ok(()) => Self::decode_checked(text),
            Err(WireError::TooDeep { at, limit }) => match Self::decode_checked(text) {
                Ok(page @ Self::Chunk { .. }) => Ok(page),
                _ => Err(WireError::TooDeep { at, limit }),
            },
            Err(too_long) => Err(too_long),
        }
    }

    /// Reads the frames of an answer over HTTP, one after the other.
    ///
    /// An answer has all pages of a pull and may be longer than a message: who reads it bounds it.
    ///
    /// # Errors
    /// [`WireError`]: it is too deep or no array of frames.
    pub fn decode_answer(text: &str, limits: &Limits) -> Result<Vec<Self>, WireError> {
        let frames: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|error| WireError::not_a_frame(reason(&error)))?;
        let limits = Limits { message_bytes: usize::MAX, ..*limits };
        frames.into_iter().map(|frame| Self::decode(frame.get(), &limits)).collect()
    }

    fn decode_checked(text: &str) -> Result<Self, WireError> {
        let no_frame = |error: serde_json::Error| WireError::not_a_frame(reason(&error));
        let missing = |field: &str| WireError::not_a_frame(format!("`{field}` is missing"));
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(no_frame)?;
        let asked = |id: Option<RequestId>| id.ok_or_else(|| missing("requestId"))?.check();
        match envelope.kind.as_str() {
            "Pong" => Ok(Self::Pong),
            "Chunk" => {
                let values = envelope.values.ok_or_else(|| missing("values"))?;
                let values = serde_json::from_str(values.get()).map_err(no_frame)?;
                Ok(Self::Chunk { request_id: asked(envelope.request_id)?, values })
            }
            "Exit" => {
                let exit = envelope.exit.ok_or_else(|| missing("exit"))?;
                let exit = Exit::decode(&exit).ok_or_else(|| WireError::not_a_frame("its `exit` is none"))?;
                Ok(Self::Exit { request_id: asked(envelope.request_id)?, exit })
            }
            "Defect" => Ok(Self::Defect(envelope.defect.unwrap_or(Value::Null))),
            _ => Err(WireError::not_a_frame("its `_tag` is none of a server's")),
        }
    }
}
