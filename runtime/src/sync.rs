//! Sync: one agreed order of each store's events, decided by a backend.

mod backend;
#[cfg(all(test, feature = "ws"))]
mod fits;
mod local;
mod network;
pub(crate) mod processor;
#[cfg(any(feature = "http", feature = "ws"))]
mod remote;
pub(crate) mod state;
mod status;
mod told;

pub use backend::{
    BackendError, BackendSupport, BoxStream, OnBackendChange, PullPage, PullRequest, PushAnswer, PushRequest, Refusal,
    Remaining, SyncBackend,
};
pub use local::LocalBackend;
pub(crate) use network::ConnectionNote;
pub use network::{BackendConnection, NetworkStatus};
#[cfg(any(feature = "http", feature = "ws"))]
pub use remote::{BackendUrlError, UntrustedServer};
#[cfg(feature = "http")]
pub use remote::{HttpBackend, HttpBackendBuilder};
#[cfg(feature = "ws")]
pub use remote::{TooManyStores, WsBackend, WsBackendBuilder};
pub(crate) use status::SyncNotes;
pub use status::{SyncPhase, SyncStatus, SyncWatch};
pub(crate) use told::Told;
