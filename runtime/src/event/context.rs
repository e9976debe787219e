//! What a materializer may know of an event beside its payload.

use std::{fmt, str::FromStr, sync::Arc};

use super::EventNumber;

/// Identifies one installation of an app: 128 random bits, made once per data dir. Other clients' ids may be any text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Arc<str>);

/// Identifies one process of a client. Other clients' ids may be any text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Arc<str>);

macro_rules! ids {
    ($($id:ident),*) => {$(
        impl $id {
            /// A new one, of 128 random bits.
            pub fn random() -> Self {
                Self(uuid::Uuid::new_v4().simple().to_string().into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl From<&str> for $id {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl FromStr for $id {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(text.into())
            }
        }
    )*};
}

ids!(ClientId, SessionId);

/// What every client sees alike of an event: its number without the rebase generation, and who committed it. There is no time
/// here: a time that matters belongs into the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventContext {
    number: EventNumber,
    client_id: ClientId,
    session_id: SessionId,
}

impl EventContext {
    /// A context; in apps larder makes them, tests of a materializer may.
    pub fn new(number: EventNumber, client_id: ClientId, session_id: SessionId) -> Self {
        Self { number: number.without_generation(), client_id, session_id }
    }

    /// The event's number, without generation.
    pub fn number(&self) -> EventNumber {
        self.number
    }

    /// The client that committed the event.
    pub fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// The session that committed the event.
    pub fn session_id(&self) -> &SessionId {
        &self.session_id
    }
}
