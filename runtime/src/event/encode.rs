//! From an event to its JSON text and back.

use serde::{Serialize, de::DeserializeOwned};

use crate::error::BoxError;

/// Why an event has no JSON text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventEncodeError {
    /// A float is not finite.
    #[error("it holds a float that is not finite, which JSON cannot say")]
    NotFinite,
    /// serde refused.
    #[error("{0}")]
    Serde(#[from] serde_json::Error),
}

/// Why an event's JSON text does not decode.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventDecodeError {
    /// The text does not fit the variant.
    #[error("its arguments do not fit: {0}")]
    Serde(#[from] serde_json::Error),
    /// A unit variant has arguments, or another variant has none.
    #[error("its arguments do not fit: {0}")]
    Shape(&'static str),
    /// The upcaster refused the old event.
    #[error("its upcaster refused it: {0}")]
    Upcast(BoxError),
}

/// For generated code.
#[doc(hidden)]
pub fn encode_payload(payload: &impl Serialize) -> Result<Option<String>, EventEncodeError> {
    Ok(Some(serde_json::to_string(payload)?))
}

/// For generated code.
#[doc(hidden)]
pub fn decode_struct<T: DeserializeOwned>(args: Option<&str>) -> Result<T, EventDecodeError> {
    decode_newtype(args)
}

/// For generated code.
#[doc(hidden)]
pub fn decode_newtype<T: DeserializeOwned>(args: Option<&str>) -> Result<T, EventDecodeError> {
    let text = args.ok_or(EventDecodeError::Shape("they are absent"))?;
    Ok(serde_json::from_str(text)?)
}

/// For generated code.
#[doc(hidden)]
pub fn decode_unit(args: Option<&str>) -> Result<(), EventDecodeError> {
    if args.is_none() { Ok(()) } else { Err(EventDecodeError::Shape("there are some, and the event takes none")) }
}

/// For generated code.
#[doc(hidden)]
pub fn upcast<Old: DeserializeOwned, E, R: Into<BoxError>>(
    args: Option<&str>,
    upcaster: impl FnOnce(Old) -> Result<E, R>,
) -> Result<E, EventDecodeError> {
    upcaster(decode_newtype(args)?).map_err(|error| EventDecodeError::Upcast(error.into()))
}
