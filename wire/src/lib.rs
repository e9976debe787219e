//! The sync wire as types: what clients and a sync server say to each other, and nothing that does it.
//!
//! It is the wire of LiveStore 0.4's sync provider, so that clients in TypeScript and larder clients share a store. Two doors lead to the
//! same log: a WebSocket, one JSON object a text frame, and HTTP, one request a POST and an array of frames as its answer.
//!
//! - [`ClientFrame`] and [`ServerFrame`] are the frames, with `decode` and `encode` for both sides. Requests of LiveStore 0.4 have ids that
//!   are JSON strings, those of the next version numbers; an [`Exit`] is encoded as the asker's version has it, which its [`RequestId`] tells.
//! - [`Event`] keeps its arguments as the text that was written. They are never encoded again: a client recognises its own events by them.
//! - [`Query`] is what a TypeScript client puts into the URL; larder clients put nothing there.
//! - [`Limits`] is what both sides hold to; each error names what is too large and what to do.
//! - [`Bucket`] is how both count what comes in a second: a server refuses what is beyond, a client stays below.
//! - [`Peer`] says whether the other side is larder's, too: then events carry an id of 128 bits.
//!
//! Nothing here does I/O, reads a clock or panics, whatever the input.
//!
//! ```
//! use larder_wire::{Call, ClientFrame, Limits};
//!
//! let text = r#"{"_tag":"Request","id":"7","tag":"SyncWsRpc.Pull",
//!     "payload":{"storeId":"notes","live":true,"cursor":{"_tag":"None"}},"headers":[]}"#;
//! let ClientFrame::Request(request) = ClientFrame::decode(text, &Limits::default())? else { unreachable!() };
//! assert_eq!(request.store_id, "notes");
//! assert!(matches!(request.call, Call::Pull { live: true, cursor: None }));
//! # Ok::<(), larder_wire::WireError>(())
//! ```

mod batch;
mod bucket;
mod client;
mod depth;
mod error;
mod event;
mod exit;
mod failure;
mod limits;
mod option;
mod peer;
mod request;
mod response;
mod server;
mod store_id;
mod url;

pub use batch::{BatchError, check_batch};
pub use bucket::Bucket;
pub use client::ClientFrame;
pub use depth::check_depth;
pub use error::WireError;
pub use event::{Event, EventId, EventIdError};
pub use exit::{Cause, Exit};
pub use failure::{Failure, Refusal, RefusalKind};
pub use limits::Limits;
pub use peer::{HEADER, HEADER_VALUE, PAYLOAD_HEADER, Peer, SUBPROTOCOL};
pub use request::{Call, Cursor, Payload, Request, RequestId, Tracing, Transport};
pub use response::{Metadata, PageInfo, PullResponse, PulledEvent};
pub use server::ServerFrame;
pub use store_id::{StoreId, StoreIdError};
pub use url::{Query, QueryError};
