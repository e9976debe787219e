//! Why sync cannot do something.

use super::{StoreError, one_line, shown};
use crate::{event::EventNumber, store::StoreName, sync::Refusal};

/// Why sync cannot do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The store is gone.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A rebase has taken the event out of the log: it no longer materializes behind the events of others.
    #[error(
        "event {number} of store {store} is quarantined, it no longer materializes: {}; commit what is still meant by it, \
         `store.quarantined_events()` lists it",
        one_line(reason)
    )]
    Quarantined {
        /// Which store.
        store: StoreName,
        /// The number that the event had last.
        number: EventNumber,
        /// Why it did not materialize.
        reason: String,
    },
    /// The backend cannot be reached.
    #[error("the sync backend of store {store} cannot be reached: {}; it is tried again", one_line(reason))]
    Offline {
        /// Which store.
        store: StoreName,
        /// Why not.
        reason: String,
    },
    /// The backend does not let this client.
    #[error(
        "the sync backend of store {store} refuses access: {}; give a valid `sync_payload`, which is asked for again at each try",
        one_line(reason)
    )]
    Unauthorized {
        /// Which store.
        store: StoreName,
        /// What the backend says.
        reason: String,
    },
    /// The backend refuses what it was asked, for a reason that lies in that.
    #[error("the sync backend of store {store} refuses what {refusal}: {}; {}", one_line(reason), refusal.remedy())]
    Refused {
        /// Which store.
        store: StoreName,
        /// What kind of reason.
        refusal: Refusal,
        /// What the backend says.
        reason: String,
    },
    /// The backend, or what comes between, failed.
    #[error("the sync of store {store} failed: {}; it is tried again", one_line(message))]
    Backend {
        /// Which store.
        store: StoreName,
        /// What went wrong.
        message: String,
    },
    /// The backend has another log than the one that the store's confirmed events are of.
    #[error(
        "the sync backend has another log for store {store}, with id {} instead of {}, and sync has stopped; bring the old \
         log back, or say `OnBackendChange::Ignore` if it is the same one, or `OnBackendChange::Reset` to begin anew with this one",
        shown(found),
        shown(expected)
    )]
    BackendIdMismatch {
        /// Which store.
        store: StoreName,
        /// The id of the log that the confirmed events are of.
        expected: String,
        /// The id of the log that the backend has.
        found: String,
    },
    /// The backend has lost events that it had confirmed, or has others in their place.
    #[error(
        "the sync backend has up to event e{head} at most of what it had confirmed of store {store}, and had confirmed e{confirmed}, so sync has stopped; bring the \
         lost events back, give the restored backend a new id, or say `OnBackendChange::Reset` to begin anew with what it has"
    )]
    BackendRolledBack {
        /// Which store.
        store: StoreName,
        /// What the backend had confirmed.
        confirmed: u64,
        /// Up to where it may have that still: where its log ends, or before an event that is another one.
        head: u64,
    },
    /// An event came that this version of the app does not know, and `UnknownEvents::Fail` says what then.
    #[error(
        "event {number} of store {store} is a `{}`, which this app does not know, and sync has stopped; update the app",
        shown(event)
    )]
    UnknownEvent {
        /// Which store.
        store: StoreName,
        /// The event's wire name.
        event: String,
        /// Its number.
        number: EventNumber,
    },
    /// The store has no backend.
    #[error("store {store} has no sync backend; set `sync` in its definition, in the registry's defaults or at `get`")]
    NotConfigured {
        /// Which store.
        store: StoreName,
    },
}
