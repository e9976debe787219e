//! Whom one talks to, and how larder's sides find out that both are larder's.

/// The WebSocket subprotocol that larder's clients offer and larder's server chooses.
pub const SUBPROTOCOL: &str = "larder.1";

/// The HTTP header by which either side says that it is larder's; its value is [`HEADER_VALUE`].
pub const HEADER: &str = "x-larder";

/// The value of [`HEADER`].
pub const HEADER_VALUE: &str = "1";

/// The HTTP header in which a larder client may send its payload, percent-encoded JSON, while it opens a connection. It may leave that to its
/// requests, too; it never puts it into the URL.
pub const PAYLOAD_HEADER: &str = "x-larder-payload";

/// The other side, which decides what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A LiveStore client or server: one store a connection, named by the URL; no event ids.
    TypeScript,
    /// larder's own: many stores a connection, named by each request; events carry ids, pages the head.
    Larder,
}
