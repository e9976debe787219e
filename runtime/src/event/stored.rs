//! An event as the log holds it.

use super::{ClientId, Event, EventDecodeError, EventNumber, SessionId};

/// 128 bits that name a synced event for ever, whatever its number becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub u128);

/// An event as the log holds it: names and text, exactly as first encoded.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Its place in the log.
    pub number: EventNumber,
    /// The wire name, old or new.
    pub name: String,
    /// The JSON of the payload; `None` for a unit variant.
    pub args: Option<String>,
    /// Who committed it.
    pub client_id: ClientId,
    /// In which session.
    pub session_id: SessionId,
    /// Its id; client-only events have none.
    pub id: Option<EventId>,
}

impl StoredEvent {
    /// The typed event, through its upcaster if the name is an old one; `None` when `E` does not know the name.
    ///
    /// # Errors
    /// When the arguments do not fit, or the upcaster refuses them.
    pub fn decode<E: Event>(&self) -> Result<Option<E>, EventDecodeError> {
        E::decode(&self.name, self.args.as_deref())
    }
}
