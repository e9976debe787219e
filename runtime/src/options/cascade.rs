//! The layers and how they resolve.

use super::{Attributes, GcTime, Payload};

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Any crash of the process (SQLite's WAL with `synchronous=NORMAL`).
    #[default]
    Process,
    /// Power loss too (`synchronous=FULL`).
    Power,
}

/// What to do with events that this version of the app does not know. They always stay in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownEvents {
    /// Log a warning, once per name and load.
    #[default]
    Warn,
    /// Nothing.
    Ignore,
    /// The load fails.
    Fail,
    /// Call this function.
    Callback(fn(&crate::event::StoredEvent)),
}

/// Whether a load waits for the first sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InitialSync {
    /// It does not.
    #[default]
    Skip,
    /// It does, for so long at most.
    Blocking {
        /// Then the load goes on without.
        timeout: std::time::Duration,
    },
}

/// Sizes a commit may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest encoded event, in bytes of JSON: 256 KiB.
    pub max_event_bytes: usize,
    /// Most events in one commit: 1,000.
    pub max_commit_events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_event_bytes: 256 * 1024, max_commit_events: 1_000 }
    }
}

/// One layer of options; what is absent comes from the layer before.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoreOptions {
    /// How long the store stays loaded without observers.
    pub gc_time: Option<GcTime>,
    /// What a commit survives.
    pub durability: Option<Durability>,
    /// What to do with unknown events.
    pub unknown_events: Option<UnknownEvents>,
    /// Largest encoded event, in bytes.
    pub max_event_bytes: Option<usize>,
    /// Most events in one commit.
    pub max_commit_events: Option<usize>,
    /// Whether a load waits for the first sync.
    pub initial_sync: Option<InitialSync>,
    /// What the sync backend is told; merges per key.
    pub sync_payload: Option<Payload>,
    /// Attributes of the store's spans; merge per key.
    pub attributes: Option<Attributes>,
}

/// All layers together.
#[derive(Clone, Debug)]
pub(crate) struct ResolvedOptions {
    pub(crate) gc_time: GcTime,
    pub(crate) durability: Durability,
    pub(crate) unknown_events: UnknownEvents,
    pub(crate) limits: Limits,
    pub(crate) sync_payload: Payload,
    pub(crate) attributes: Attributes,
}
