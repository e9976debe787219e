//! Backends that are reached over a network, by the wire of the crate `larder-wire`.
//!
//! `door` is the way to a server, `frames` says what is asked and what an answer means: pure; `pace` says when a
//! request may go. Over WebSockets (feature `ws`) `link` is one open socket and the requests on it, `seats` says which link a store is on, `ws` is
//! the backend that opens links when somebody asks. Over HTTP (feature `http`) `exchange` is one request and
//! its answer, which `answer` takes apart, `http` the backend.

#[cfg(feature = "http")]
mod answer;
mod asking;
#[cfg(feature = "ws")]
mod connect;
mod door;
mod endpoint;
#[cfg(feature = "http")]
mod exchange;
mod frames;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "ws")]
mod link;
#[cfg(feature = "ws")]
mod metered;
mod pace;
#[cfg(feature = "ws")]
mod seats;
#[cfg(feature = "ws")]
mod ws;

#[cfg(feature = "http")]
pub use self::http::{HttpBackend, HttpBackendBuilder};
pub use door::UntrustedServer;
pub use endpoint::BackendUrlError;
#[cfg(feature = "ws")]
pub use seats::TooManyStores;
#[cfg(feature = "ws")]
pub use ws::{WsBackend, WsBackendBuilder};
