//! From an event to its JSON text and back.

use std::io;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Serializer, ser::Formatter};

use super::finite;
use crate::error::{BoxError, one_line};

/// How deep arrays and objects may be inside each other in an event's arguments. Every reader must be able to take it apart again, the
/// sync server included, and none may overflow its stack.
pub(crate) const MAX_DEPTH: usize = 64;

/// How long an event's name and the ids of its client and session may be together, in bytes: as long as a sync server takes them.
pub(crate) const MAX_LABELS: usize = 1024;

/// Why an event has no JSON text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventEncodeError {
    /// A float is not finite.
    #[error("it holds a float that is NaN or infinite, which JSON cannot say; use `Option<f64>` for a missing number")]
    NotFinite,
    /// Arrays and objects are too deep inside each other.
    #[error("it is more than {limit} arrays and objects deep; flatten it, or keep it as text")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// serde refused.
    #[error("{0}; change the value, or how its type is serialized")]
    Serde(#[from] serde_json::Error),
    /// Its text does not decode, so no rebuild and no other client could read it.
    #[error(
        "its text cannot be read again: {0}; give what is skipped `#[serde(default)]`, and let `Deserialize` take all that `Serialize` writes"
    )]
    NotReadable(#[source] EventDecodeError),
    /// An `Event` that somebody wrote by hand does not know the name that it gave.
    #[error("its own type has no event of this name; let `decode` know every name of `EVENTS`")]
    Unnamed,
    /// A `Serialize` or `Deserialize` of the app panicked.
    #[error("encoding it, or reading its text again, panicked: {0}; mend its `Serialize` or `Deserialize`")]
    Panicked(String),
}

/// Why an event's JSON text does not decode.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventDecodeError {
    /// The text does not fit the variant.
    #[error(
        "its arguments do not fit: {}; give new fields `#[serde(default)]`, or the event an upcaster",
        one_line(&.0.to_string())
    )]
    Serde(#[from] serde_json::Error),
    /// A unit variant has arguments, or another variant has none.
    #[error("its arguments do not fit: {0}; give the event another name and an upcaster from this one")]
    Shape(&'static str),
    /// The upcaster refused the old event.
    #[error("its upcaster refused it: {0}")]
    Upcast(BoxError),
}

/// What an event can carry.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be in an event",
    label = "does not implement `Serialize` and `Deserialize`",
    note = "derive both above it: `#[derive(larder::serde::Serialize, larder::serde::Deserialize)] #[serde(crate = \"larder::serde\")]`"
)]
pub trait EventField<Way>: Sized {
    /// The type itself. Generated code reaches a field through it: where there is none, rustc says so and nothing else.
    type Own;

    /// The field, to write.
    fn own(&self) -> &Self::Own;

    /// The field, as it was read.
    fn from_own(own: Self::Own) -> Self;
}

impl<T: Serialize + DeserializeOwned> EventField<Encoded> for T {
    type Own = T;

    fn own(&self) -> &T {
        self
    }

    fn from_own(own: T) -> T {
        own
    }
}

// Never holds. With two ways to choose from, rustc looks into both before it takes one, and says that there is none in our words; with
// one it would take that and complain of serde's traits one by one, in every place that needs them.
impl<T: Never> EventField<()> for T {
    type Own = T;

    fn own(&self) -> &T {
        self
    }

    fn from_own(own: T) -> T {
        own
    }
}

/// The way that holds.
#[doc(hidden)]
#[derive(Debug)]
pub enum Encoded {}

/// Implemented by nothing.
#[doc(hidden)]
pub trait Never {}

/// The JSON of a payload; for generated code.
///
/// # Errors
/// A float that is not finite, too much nesting, and what serde refuses.
#[doc(hidden)]
pub fn encode_payload<T: Serialize>(payload: &T) -> Result<Option<String>, EventEncodeError> {
    json_text(payload).map(Some)
}

/// A value's JSON, which reads back as the same value.
pub(crate) fn json_text<T: Serialize>(payload: &T) -> Result<String, EventEncodeError> {
    let mut text = Vec::with_capacity(128);
    let mut seen = Seen::default();
    let written = payload.serialize(&mut Serializer::with_formatter(&mut text, Watch { seen: &mut seen }));
    // serde_json writes `null` for a float that is not finite, and refuses one as a key: only then is it worth a second look.
    if seen.too_deep {
        return Err(EventEncodeError::TooDeep { limit: MAX_DEPTH });
    }
    if (seen.null || written.is_err()) && !finite::is_finite(payload) {
        return Err(EventEncodeError::NotFinite);
    }
    written?;
    Ok(String::from_utf8(text).map_err(<serde_json::Error as serde::ser::Error>::custom)?)
}

/// The payload of a struct variant; for generated code.
///
/// # Errors
/// When the arguments are absent, no object, or do not fit.
#[doc(hidden)]
pub fn decode_struct<T: DeserializeOwned>(args: Option<&str>) -> Result<T, EventDecodeError> {
    Ok(serde_json::from_str(object(args)?)?)
}

/// Arguments that are an object.
pub(super) fn object(args: Option<&str>) -> Result<&str, EventDecodeError> {
    let text = args.ok_or(EventDecodeError::Shape("they are absent"))?;
    if text.trim_start().starts_with('{') { Ok(text) } else { Err(EventDecodeError::Shape("they are no JSON object")) }
}

/// The payload of a newtype variant; for generated code.
///
/// # Errors
/// When the arguments are absent or do not fit.
#[doc(hidden)]
pub fn decode_newtype<T: DeserializeOwned>(args: Option<&str>) -> Result<T, EventDecodeError> {
    let text = args.ok_or(EventDecodeError::Shape("they are absent"))?;
    Ok(serde_json::from_str(text)?)
}

/// The payload of a unit variant: none; for generated code. It is written as absent, and read where a backend of LiveStore has made `null` of that.
///
/// # Errors
/// When there are arguments.
#[doc(hidden)]
pub fn decode_unit(args: Option<&str>) -> Result<(), EventDecodeError> {
    let none = args.is_none_or(|text| text.trim() == "null");
    if none { Ok(()) } else { Err(EventDecodeError::Shape("there are some, and the event takes none")) }
}

/// An old event as a new one; for generated code. The arguments of an old event without any are read as `()`.
///
/// # Errors
/// When the arguments do not fit the old type, or the upcaster refuses them.
#[doc(hidden)]
pub fn upcast<Old: DeserializeOwned, E, R: Into<BoxError>>(
    args: Option<&str>,
    upcaster: impl FnOnce(Old) -> Result<E, R>,
) -> Result<E, EventDecodeError> {
    let old = match args {
        Some(text) => serde_json::from_str(text)?,
        None => serde_json::from_str("null").map_err(|_| EventDecodeError::Shape("they are absent"))?,
    };
    upcaster(old).map_err(|error| EventDecodeError::Upcast(error.into()))
}

/// What was written so far.
#[derive(Default)]
struct Seen {
    null: bool,
    depth: usize,
    too_deep: bool,
}

impl Seen {
    fn enter(&mut self) -> io::Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.too_deep = true;
            return Err(io::Error::other("too deep"));
        }
        Ok(())
    }

    /// Text that is JSON already, such as a `RawValue`.
    fn fragment(&mut self, fragment: &str) -> io::Result<()> {
        let (mut in_string, mut escaped) = (false, false);
        for byte in fragment.bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                b'[' | b'{' if !in_string => self.enter()?,
                b']' | b'}' if !in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        Ok(())
    }
}

/// serde_json's compact form, watched while it is written.
struct Watch<'a> {
    seen: &'a mut Seen,
}

impl Formatter for Watch<'_> {
    fn write_null<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.seen.null = true;
        writer.write_all(b"null")
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.seen.enter()?;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.seen.depth -= 1;
        writer.write_all(b"]")
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.seen.enter()?;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.seen.depth -= 1;
        writer.write_all(b"}")
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        self.seen.fragment(fragment)?;
        writer.write_all(fragment.as_bytes())
    }
}
