//! Why a request was not carried out.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a server answers to a request that it understood and did not carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// A push does not follow the log's head. The client waits for a pull to bring what it lacks.
    ServerAhead {
        /// The log's head.
        minimum_expected: u64,
        /// The parent of the push's first event.
        provided: u64,
    },
    /// The client has met another backend.
    BackendIdMismatch {
        /// The server's identity.
        expected: String,
        /// The one the client named.
        received: String,
    },
    /// The server refuses, and says of which kind its reason is. For TypeScript clients it is an `UnknownError`.
    Refused(Refusal),
    /// Any other `UnknownError`.
    Unknown {
        /// What went wrong, often `{name, message}`.
        cause: Value,
        /// A note on it.
        note: Option<String>,
        /// What belongs to it.
        payload: Option<Value>,
    },
}

/// A server's refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of reason.
    pub kind: RefusalKind,
    /// The reason, and what to do.
    pub message: String,
    /// How many stores the connection may have, if it is full: [`RefusalKind::Full`].
    pub limit: Option<u64>,
}

/// The kinds of reasons for a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// Nobody knows who asks: no token, a wrong one, one that has expired. Ask for a new one.
    Unauthenticated,
    /// Who asks may not do this with this store.
    Forbidden,
    /// Too much at once. Try again after a second.
    TooFast,
    /// A message, batch or event beyond a limit, or too many pulls. Trying again does not help.
    TooLarge,
    /// The connection has as many stores as it may have. Ask on another one.
    Full,
    /// A batch whose events do not follow each other, or a store id that is none.
    Invalid,
    /// The server cannot, for now: it is stopping, or its storage failed. Try again later.
    Unavailable,
}

impl RefusalKind {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Unauthenticated, "larder.Unauthenticated"),
        (Self::Forbidden, "larder.Forbidden"),
        (Self::TooFast, "larder.TooFast"),
        (Self::TooLarge, "larder.TooLarge"),
        (Self::Full, "larder.Full"),
        (Self::Invalid, "larder.Invalid"),
        (Self::Unavailable, "larder.Unavailable"),
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("larder.Unavailable", |(_, name)| name)
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

impl Refusal {
    /// A refusal of a kind, with its reason.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), limit: None }
    }

    /// The refusal of a store beyond so many of a connection, with its reason.
    pub fn full(stores: usize, message: impl Into<String>) -> Self {
        Self { limit: Some(stores as u64), ..Self::new(RefusalKind::Full, message) }
    }

    /// What an `UnknownError`'s cause says, if a larder server wrote it.
    fn of_cause(cause: &Value) -> Option<Self> {
        let fields = cause.as_object()?;
        let kind = RefusalKind::named(fields.get("name")?.as_str()?)?;
        let limit = fields.get("limit").map(|limit| limit.as_u64().ok_or(())).transpose().ok()?;
        let is_all = fields.len() == 2 + usize::from(limit.is_some());
        is_all.then_some(Self { kind, message: fields.get("message")?.as_str()?.to_owned(), limit })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(tag = "_tag")]
enum Tagged {
    #[serde(rename = "ServerAheadError", rename_all = "camelCase")]
    ServerAhead { minimum_expected_num: u64, provided_num: u64 },
    #[serde(rename = "BackendIdMismatchError")]
    BackendIdMismatch { expected: String, received: String },
}

impl Failure {
    pub(crate) fn decode(error: &Value) -> Option<Self> {
        let fields = error.as_object()?;
        if fields.get("_tag")?.as_str()? == "UnknownError" {
            return Self::unknown(fields);
        }
        let known = match Tagged::deserialize(error).ok()? {
            Tagged::ServerAhead { minimum_expected_num, provided_num } => {
                Self::ServerAhead { minimum_expected: minimum_expected_num, provided: provided_num }
            }
            Tagged::BackendIdMismatch { expected, received } => Self::BackendIdMismatch { expected, received },
        };
        Some(known)
    }

    fn unknown(fields: &Map<String, Value>) -> Option<Self> {
        let cause = fields.get("cause")?.clone();
        let note = fields.get("note").and_then(Value::as_str).map(str::to_owned);
        let payload = fields.get("payload").cloned();
        match Refusal::of_cause(&cause) {
            Some(refusal) if note.is_none() && payload.is_none() => Some(Self::Refused(refusal)),
            _ => Some(Self::Unknown { cause, note, payload }),
        }
    }

    pub(crate) fn encode(&self) -> Value {
        match self {
            Self::ServerAhead { minimum_expected, provided } => json!({
                "_tag": "ServerAheadError", "minimumExpectedNum": minimum_expected, "providedNum": provided,
            }),
            Self::BackendIdMismatch { expected, received } => json!({
                "_tag": "BackendIdMismatchError", "expected": expected, "received": received,
            }),
            Self::Refused(Refusal { kind, message, limit }) => {
                let mut cause = json!({ "name": kind.as_str(), "message": message });
                cause.as_object_mut().into_iter().for_each(|fields| {
                    fields.extend(limit.map(|limit| ("limit".to_owned(), limit.into())));
                });
                json!({ "_tag": "UnknownError", "cause": cause })
            }
            Self::Unknown { cause, note, payload } => {
                let mut error = json!({ "_tag": "UnknownError", "cause": cause });
                error.as_object_mut().into_iter().for_each(|fields| {
                    fields.extend(note.clone().map(|note| ("note".to_owned(), note.into())));
                    fields.extend(payload.clone().map(|payload| ("payload".to_owned(), payload)));
                });
                error
            }
        }
    }
}
