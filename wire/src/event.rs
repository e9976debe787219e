//! Events as the wire has them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::RawValue;

/// One event of a store's agreed order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What it is called, such as `v1.IssueOpened`.
    pub name: String,
    /// Its arguments, as the text that its author wrote; `None` where the event has none. Absent is not `null`, and nothing encodes them
    /// again: their author knows the event by them.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub args: Option<Box<RawValue>>,
    /// Its number in the order, from 1.
    pub seq_num: u64,
    /// The number of the event before it, 0 for the first.
    pub parent_seq_num: u64,
    /// Which client committed it.
    pub client_id: String,
    /// In which session of that client.
    pub session_id: String,
    /// Its id among larder peers. TypeScript peers never see it, and their events have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<EventId>,
}

impl Event {
    /// Its size, as batches and pages count it: the bytes of its name, arguments and ids.
    #[must_use]
    pub fn size(&self) -> usize {
        self.label_bytes() + self.args_text().map_or(0, str::len)
    }

    /// The bytes of its name and of the ids of its client and session.
    pub(crate) fn label_bytes(&self) -> usize {
        self.name.len() + self.client_id.len() + self.session_id.len()
    }

    /// The text of its arguments.
    #[must_use]
    pub fn args_text(&self) -> Option<&str> {
        self.args.as_ref().map(|args| args.get())
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.args_text() == other.args_text()
            && (self.seq_num, self.parent_seq_num) == (other.seq_num, other.parent_seq_num)
            && (&self.client_id, &self.session_id) == (&other.client_id, &other.session_id)
            && self.id == other.id
    }
}

/// A field that is there has a value, `null` too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// An event's id among larder peers: 128 bits, 32 hexadecimal digits on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(
    /// The bits.
    pub [u8; 16],
);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 32 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(EventIdError);
        }
        u128::from_str_radix(text, 16).map(|bits| Self(bits.to_be_bytes())).map_err(|_| EventIdError)
    }
}

/// A text is no event id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event id is 32 hexadecimal digits in lower case; write all 128 bits of it")]
pub struct EventIdError;

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
