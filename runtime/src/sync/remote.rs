//! Backends that are reached over a network, by the wire of the crate `larder-wire`.
//!
//! `frames` says what is asked and what an answer means: pure. `link` is one open WebSocket and the requests on it, `ws` the backend that
//! opens links when somebody asks.

mod connect;
mod endpoint;
mod frames;
mod link;
mod ws;

pub use endpoint::BackendUrlError;
pub use ws::{WsBackend, WsBackendBuilder};
