//! What TypeScript clients put into the URL.

use crate::{Limits, Payload, StoreId, StoreIdError, Transport, check_depth};

/// The query of a TypeScript client's URL.
///
/// It may hold a token: whoever logs a URL leaves it out.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The store that the connection is for.
    pub store_id: Option<StoreId>,
    /// Who asks, if the app says so.
    pub payload: Option<Payload>,
    /// What the client takes the door for.
    pub transport: Option<Transport>,
}

/// Why a query is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The store id is none.
    #[error("`storeId`: {0}")]
    StoreId(#[from] StoreIdError),
    /// The payload is no JSON in the encoding of the wire.
    #[error(
        "`payload` is no JSON, URI-encoded twice; encode it as `encodeURIComponent(JSON.stringify(payload))` and as a form again"
    )]
    Payload,
    /// The transport is unknown.
    #[error("`transport` is neither `ws` nor `http`")]
    Transport,
    /// A percent sign does not begin a byte, or the bytes are no text.
    #[error("the query is not percent-encoded UTF-8")]
    Encoding,
}

impl Query {
    /// Reads the part of a URL behind the question mark. Unknown parameters are left alone: they are the app's.
    ///
    /// # Errors
    /// [`QueryError`]: which parameter is wrong, without its value.
    pub fn parse(query: &str) -> Result<Self, QueryError> {
        let mut found = Self { store_id: None, payload: None, transport: None };
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "storeId" => found.store_id = Some(StoreId::new(&decode_form(value)?)?),
                "payload" => found.payload = Some(payload(&decode_form(value)?)?),
                "transport" => {
                    let known = [Transport::WebSocket, Transport::Http];
                    let named = known.into_iter().find(|transport| transport.as_str() == value);
                    found.transport = Some(named.ok_or(QueryError::Transport)?);
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The query as a TypeScript client writes it, without the question mark.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut parts = Vec::new();
        if let Some(store_id) = &self.store_id {
            parts.push(format!("storeId={}", encode(store_id.as_str(), FORM)));
        }
        if let Some(Payload(payload)) = &self.payload {
            parts.push(format!("payload={}", encode(&encode(&payload.to_string(), COMPONENT), FORM)));
        }
        if let Some(transport) = self.transport {
            parts.push(format!("transport={}", transport.as_str()));
        }
        parts.join("&")
    }
}

fn payload(text: &str) -> Result<Payload, QueryError> {
    let json = |text: &str| -> Option<Payload> {
        check_depth(text, &Limits::default()).ok()?;
        serde_json::from_str(text).ok().map(Payload)
    };
    // Twice is what LiveStore does; a client that encodes once is understood, too.
    let twice = decode(text, false).ok().and_then(|decoded| json(&decoded));
    twice.or_else(|| json(text)).ok_or(QueryError::Payload)
}

/// Bytes that a form leaves alone, beside letters and digits.
const FORM: &[u8] = b"*-._";

/// Bytes that `encodeURIComponent` leaves alone, beside letters and digits.
const COMPONENT: &[u8] = b"-_.!~*'()";

fn encode(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            _ if byte.is_ascii_alphanumeric() || kept.contains(&byte) => out.push(char::from(byte)),
            b' ' if kept == FORM => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn decode_form(text: &str) -> Result<String, QueryError> {
    decode(text, true)
}

fn decode(text: &str, plus_is_blank: bool) -> Result<String, QueryError> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
                    return Err(QueryError::Encoding);
                };
                out.push(u8::try_from(high * 16 + low).map_err(|_| QueryError::Encoding)?);
            }
            b'+' if plus_is_blank => out.push(b' '),
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).map_err(|_| QueryError::Encoding)
}

impl Payload {
    /// The payload as [`PAYLOAD_HEADER`](crate::PAYLOAD_HEADER) has it: JSON, percent-encoded.
    #[must_use]
    pub fn to_header(&self) -> String {
        encode(&self.0.to_string(), COMPONENT)
    }

    /// The payload of a header's text.
    ///
    /// # Errors
    /// [`QueryError::Payload`]: it is none.
    pub fn from_header(text: &str) -> Result<Self, QueryError> {
        payload(text)
    }
}
