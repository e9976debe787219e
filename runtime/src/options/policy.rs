//! Options that are a choice: durability, unknown events, the first sync, limits.

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Any crash of the process (SQLite's WAL with `synchronous=NORMAL`).
    #[default]
    Process,
    /// Power loss too (`synchronous=FULL`).
    Power,
}

/// What to do with events that this version of the app does not know, at a load and when others' come by sync. They always stay in the log.
#[derive(Clone, Copy, Debug, Default)]
pub enum UnknownEvents {
    /// Log a warning, once per name and load, those that come by sync included.
    #[default]
    Warn,
    /// Nothing.
    Ignore,
    /// The load fails. Where one comes by sync, nothing of its page is taken over, and the store's sync stops with
    /// [`SyncError::UnknownEvent`](crate::SyncError::UnknownEvent).
    Fail,
    /// Call this function, at each load, with every event of the log that the tables are built without, and with each that comes by sync. The
    /// load reads the log from the first of them on.
    Callback(fn(&crate::event::StoredEvent)),
}

impl PartialEq for UnknownEvents {
    /// Two callbacks are equal when they are the same function.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Warn, Self::Warn) | (Self::Ignore, Self::Ignore) | (Self::Fail, Self::Fail) => true,
            (Self::Callback(one), Self::Callback(two)) => std::ptr::fn_addr_eq(*one, *two),
            _ => false,
        }
    }
}

impl Eq for UnknownEvents {}

/// Whether a load waits until the store has all that its backend has; `LoadProgress` says how far it is.
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
    /// Largest event: 256 KiB of arguments, as the JSON text that is stored and sent. A sync server counts the same, and takes as many unless its
    /// `event_bytes` and, beyond 1 MiB, its `batch_bytes` say otherwise: raise them together, or an event that one side takes alone is never confirmed,
    /// and nothing behind it. A message has at most 2 MiB.
    pub max_event_bytes: usize,
    /// Most events in one commit: 1,000.
    pub max_commit_events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_event_bytes: 256 * 1024, max_commit_events: 1_000 }
    }
}
