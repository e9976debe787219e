//! What is wrong with a message. No error repeats what the message held: it may be a secret.

use crate::RequestId;

/// Why a text is no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The message is longer than the limit.
    #[error("the message has {bytes} bytes, at most {limit} are taken; send fewer or smaller events at once")]
    MessageTooLong {
        /// Its length.
        bytes: usize,
        /// The longest that is taken.
        limit: usize,
    },
    /// Arrays and objects are nested too deep.
    #[error("the JSON is nested deeper than {limit} levels at byte {at}; make the arguments flatter")]
    TooDeep {
        /// The byte at which the level is passed.
        at: usize,
        /// The deepest that is taken.
        limit: usize,
    },
    /// A request is nested too deep, and can be answered.
    #[error("the JSON of a request is nested deeper than {limit} levels; make the arguments flatter")]
    RequestTooDeep {
        /// Whom to answer.
        id: RequestId,
        /// The deepest that is taken.
        limit: usize,
    },
    /// The message is no text.
    #[error("the message is no UTF-8; send JSON as text")]
    NoText,
    /// The text is no frame, and nobody can be answered.
    #[error("this is no frame: {reason}")]
    NotAFrame {
        /// What is missing or wrong.
        reason: String,
    },
    /// A request that can be answered, but not carried out.
    #[error("a request cannot be read: {reason}")]
    BadRequest {
        /// Whom to answer.
        id: RequestId,
        /// What is missing or wrong.
        reason: String,
    },
}

impl WireError {
    pub(crate) fn not_a_frame(reason: impl Into<String>) -> Self {
        Self::NotAFrame { reason: reason.into() }
    }
}

/// What serde says of a message, without the values it repeats.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let harmless = ["missing field `", "duplicate field `"].iter().find_map(|known| said.strip_prefix(known));
    let (line, column) = (error.line(), error.column());
    match harmless.and_then(|rest| rest.split('`').next()) {
        Some(field) if said.starts_with("missing") => format!("`{field}` is missing"),
        Some(field) => format!("`{field}` stands there twice"),
        None if error.is_data() => format!("a value is of the wrong type, before line {line} column {column}"),
        None => format!("it is no JSON at line {line} column {column}"),
    }
}
