//! What both sides hold to. A server may be told other limits; clients start from these.

/// The sizes that a message, and what is in it, may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an event's arguments, as the JSON text that they are. Its name and ids have a limit of their own, [`LABEL_BYTES`](Self::LABEL_BYTES).
    pub event_bytes: usize,
    /// Events of one push, and of one page of a pull.
    pub batch_events: usize,
    /// Bytes of all events of one push: arguments, names and ids.
    pub batch_bytes: usize,
    /// Bytes of one message, in either direction.
    pub message_bytes: usize,
    /// Levels of arrays and objects inside each other in an event's arguments. A message may be deeper by
    /// [`ENVELOPE_DEPTH`](Self::ENVELOPE_DEPTH): what carries an event does not count, so that each side takes what the other one takes.
    pub json_depth: usize,
}

impl Limits {
    /// 256 KiB an event.
    pub const EVENT_BYTES: usize = 256 * 1024;
    /// 100 events a push.
    pub const BATCH_EVENTS: usize = 100;
    /// 1 MiB a push.
    pub const BATCH_BYTES: usize = 1024 * 1024;
    /// 2 MiB a message.
    pub const MESSAGE_BYTES: usize = 2 * 1024 * 1024;
    /// 64 levels.
    pub const JSON_DEPTH: usize = 64;
    /// Levels that a message may have around the arguments of its events. A push has 4 of them and a page of a pull 6, one more over HTTP.
    pub const ENVELOPE_DEPTH: usize = 8;
    /// Bytes of an event's name, client id and session id together. However they are escaped, a full page of events fits a message.
    pub const LABEL_BYTES: usize = 1024;
    /// The longest text that a request may have as its id, in bytes.
    pub const REQUEST_ID_BYTES: usize = 128;
    /// 256 stores a connection.
    pub const STORES_PER_CONNECTION: usize = 256;
    /// 50 pushes a second and connection; as many may come at once.
    pub const PUSHES_PER_SECOND: u32 = 50;
    /// 5 MiB a second and connection, of what clients send; as much may come at once.
    pub const BYTES_PER_SECOND: u64 = 5 * 1024 * 1024;
    /// The largest event number: the last integer that JavaScript counts exactly.
    pub const EVENT_NUMBER: u64 = (1 << 53) - 1;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_bytes: Self::EVENT_BYTES,
            batch_events: Self::BATCH_EVENTS,
            batch_bytes: Self::BATCH_BYTES,
            message_bytes: Self::MESSAGE_BYTES,
            json_depth: Self::JSON_DEPTH,
        }
    }
}
