//! Events: immutable facts, named in the past tense, with JSON arguments.

mod context;
mod encode;
mod fields;
mod finite;
mod log_numbers;
mod number;
mod stored;

pub use context::{ClientId, EventContext, SessionId};
#[cfg(any(feature = "testing", all(test, feature = "ws")))]
pub(crate) use encode::MAX_DEPTH;
pub use encode::{EventDecodeError, EventEncodeError};
pub(crate) use encode::{MAX_LABELS, json_text};
pub use log_numbers::{LogNumbers, ParseLogNumbersError};
pub use number::{EventNumber, ParseEventNumberError};
pub use stored::{EventId, StoredEvent};

#[doc(hidden)]
pub use fields::{Fields, decode_fields};

#[doc(hidden)]
pub use encode::{EventField, decode_newtype, decode_struct, decode_unit, encode_payload, upcast};

/// The events of a schema. Implemented by `#[derive(Event)]` on an enum.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event type",
    label = "expected an enum with `#[derive(Event)]`"
)]
pub trait Event: Sized + Send + Sync + 'static {
    /// What the enum's variants are called and how they behave, in the order of the variants.
    const EVENTS: &'static [EventInfo];

    /// Where this event's variant stands in [`EVENTS`](Self::EVENTS).
    fn index(&self) -> usize;

    /// The JSON of the variant's payload alone; `None` for a unit variant.
    ///
    /// # Errors
    /// When a value does not serialize, or holds a float that is not finite.
    fn encode(&self) -> Result<Option<String>, EventEncodeError>;

    /// The event with this wire name, through its upcaster if the name is an old one; `None` when no variant has the name.
    ///
    /// # Errors
    /// When `args` do not fit the variant, or the upcaster refuses them.
    fn decode(name: &str, args: Option<&str>) -> Result<Option<Self>, EventDecodeError>;
}

/// One variant of an event enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventInfo {
    /// The name on disk and on the wire, such as `v1.IssueOpened`.
    pub name: &'static str,
    /// The variant's name in Rust.
    pub variant: &'static str,
    /// The payload in words, part of the schema fingerprint: the tokens of its fields as they are written, with their serde attributes and
    /// without blanks that Rust does not need. `{number:i64,title:String}` for named fields, `(Option<i64>)` for one without a name, empty
    /// for a unit variant.
    pub payload: &'static str,
    /// Never leaves this client.
    pub client_only: bool,
    /// Why the event should no longer be committed. A commit warns, once per process and event.
    pub deprecated: Option<&'static str>,
    /// Old wire names that an upcaster turns into this variant.
    pub from: &'static [&'static str],
}
