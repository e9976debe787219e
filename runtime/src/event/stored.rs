//! An event as the log holds it.

use super::{ClientId, EventNumber, SessionId};

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
