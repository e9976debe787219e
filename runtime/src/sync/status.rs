//! How the sync of one store stands, for whoever shows it.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, PoisonError, Weak},
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::{
    error::{StoreError, SyncError},
    event::EventNumber,
    primitives::Mutex,
    store::{CommitWatch, Engine},
};

/// How the sync of one store stands, from [`Store::sync_status`](crate::Store::sync_status).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SyncStatus {
    /// What it does now.
    pub phase: SyncPhase,
    /// The last event that the backend has confirmed; [`EventNumber::ZERO`] when it has none.
    pub confirmed: EventNumber,
    /// The last event of the store.
    pub head: EventNumber,
    /// Events that the backend has not confirmed.
    pub pending: u64,
    /// Confirmed events that do not materialize: see [`Store::failed_events`](crate::Store::failed_events).
    pub failed: u64,
    /// Events that the backend has and the store does not, as far as it has said.
    pub behind: u64,
    /// Why the last try failed; none since one succeeded.
    pub last_error: Option<SyncError>,
}

impl SyncStatus {
    /// Whether the backend can be reached, as far as anybody has tried: no before the store's sync has begun, which is just after its load, and no
    /// once sync has stopped, as nobody tries any more.
    pub fn connected(&self) -> bool {
        !matches!(self.phase, SyncPhase::Off | SyncPhase::Offline | SyncPhase::Stopped)
    }
}

/// What the sync of a store does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncPhase {
    /// Nothing: the store has no backend.
    #[default]
    Off,
    /// There is no connection, or the store's sync has not begun yet.
    Offline,
    /// It takes over what the backend has.
    CatchingUp,
    /// The store has all that the backend has; what is committed is pushed.
    Live,
    /// The last try failed, and there will be another one.
    Failing,
    /// It was given up until the store is loaded again; the status has the error.
    Stopped,
}

/// What is noted of the sync of a loaded store.
#[derive(Debug, Default)]
pub(crate) struct SyncNotes {
    noted: Mutex<Noted>,
}

#[derive(Clone, Debug, Default)]
struct Noted {
    phase: SyncPhase,
    behind: u64,
    failed: u64,
    /// In a box, because it is large and mostly not there.
    last_error: Option<Box<SyncError>>,
    backend_id: Option<String>,
    /// What the backend wants to be told with the next pull.
    metadata: Option<String>,
    /// That is another one than in the file.
    is_unwritten: bool,
    /// The last push failed, while pulls go on.
    is_unpushed: bool,
}

impl SyncNotes {
    /// At the load: the id of the backend's log and its metadata, and events that did not materialize.
    pub(crate) fn new(
        has_backend: bool,
        (backend_id, metadata): (Option<String>, Option<String>),
        failed: u64,
    ) -> Self {
        let phase = if has_backend { SyncPhase::Offline } else { SyncPhase::Off };
        Self { noted: Mutex::new(Noted { phase, backend_id, metadata, failed, ..Noted::default() }) }
    }

    fn with<R>(&self, change: impl FnOnce(&mut Noted) -> R) -> R {
        change(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What it does; a phase in which all is well ends the error.
    pub(crate) fn phase(&self, phase: SyncPhase) {
        self.with(|noted| {
            if noted.phase == SyncPhase::Stopped {
                return;
            }
            noted.phase = phase;
            if phase == SyncPhase::Live {
                noted.behind = 0;
                match noted.is_unpushed {
                    // What comes from others says nothing of what goes to them.
                    true => noted.phase = SyncPhase::Failing,
                    false => noted.last_error = None,
                }
            }
        });
    }

    /// A push has failed, or none has to be made again.
    pub(crate) fn pushed(&self, pushed: Result<(), SyncError>) {
        self.with(|noted| match pushed {
            _ if noted.phase == SyncPhase::Stopped => {}
            Err(error) => {
                (noted.phase, noted.is_unpushed, noted.last_error) = (SyncPhase::Failing, true, Some(Box::new(error)));
            }
            Ok(()) if noted.is_unpushed => {
                (noted.phase, noted.is_unpushed, noted.last_error) = (SyncPhase::Live, false, None);
            }
            Ok(()) => {}
        });
    }

    /// A pull begins. One that goes on where the one before ended, with all that there was, is no new phase.
    pub(crate) fn begins(&self) {
        if self.with(|noted| noted.phase != SyncPhase::Live) {
            self.phase(SyncPhase::CatchingUp);
        }
    }

    /// So many events the backend has still, and they are not all here.
    pub(crate) fn lags(&self, behind: u64) {
        self.phase(SyncPhase::CatchingUp);
        self.behind(behind);
    }

    /// How many events the backend has still.
    pub(crate) fn behind(&self, behind: u64) {
        self.with(|noted| noted.behind = behind);
    }

    pub(crate) fn failed_with(&self, error: SyncError, phase: SyncPhase) {
        self.with(|noted| {
            if noted.phase != SyncPhase::Stopped {
                (noted.phase, noted.last_error) = (phase, Some(Box::new(error)));
            }
        });
    }

    /// Whether the last push failed.
    pub(crate) fn is_unpushed(&self) -> bool {
        self.with(|noted| noted.is_unpushed)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.with(|noted| noted.phase == SyncPhase::Stopped)
    }

    /// The id of the log that the confirmed events are of.
    pub(crate) fn backend_id(&self) -> Option<String> {
        self.with(|noted| noted.backend_id.clone())
    }

    /// Whether a log is the one that the confirmed events are of, if there are any. Where another is as good it is from now on, and the next
    /// transaction writes its id.
    ///
    /// # Errors
    /// The id of the log that it is to be.
    pub(crate) fn check_backend(&self, found: &str, is_as_good: bool) -> Result<(), String> {
        self.with(|noted| match &noted.backend_id {
            Some(expected) if expected != found && !is_as_good => Err(expected.clone()),
            Some(expected) if expected != found => {
                (noted.backend_id, noted.is_unwritten) = (Some(found.to_owned()), true);
                Ok(())
            }
            _ => Ok(()),
        })
    }

    /// Whether the file says that the confirmed events are of this log.
    pub(crate) fn has_written(&self, backend_id: &str) -> bool {
        self.with(|noted| !noted.is_unwritten && noted.backend_id.as_deref() == Some(backend_id))
    }

    /// What a transaction has written: the log's id, its metadata, and how many events do not materialize, as far as they are others.
    pub(crate) fn written(&self, backend_id: Option<String>, metadata: Option<Option<String>>, failed: Option<u64>) {
        self.with(|noted| {
            if let Some(id) = backend_id {
                (noted.backend_id, noted.is_unwritten) = (Some(id), false);
            }
            if let Some(metadata) = metadata {
                noted.metadata = metadata;
            }
            noted.failed = failed.unwrap_or(noted.failed);
        });
    }

    /// What the backend wants to be told with the next pull.
    pub(crate) fn metadata(&self) -> Option<String> {
        self.with(|noted| noted.metadata.clone())
    }

    /// With what the store itself knows.
    pub(crate) fn status(&self, head: EventNumber, confirmed: u64, pending: u64) -> SyncStatus {
        let Noted { phase, behind, failed, last_error, .. } = self.with(|noted| noted.clone());
        let (confirmed, last_error) = (EventNumber::synced(confirmed), last_error.map(|error| *error));
        SyncStatus { phase, confirmed, head, pending, failed, behind, last_error }
    }
}

/// The status of a store's sync as a stream, from [`Store::watch_sync`](crate::Store::watch_sync): the current one, then each different
/// one. Changes between two looks are one. It holds no store, and ends when that goes.
pub struct SyncWatch {
    engine: Weak<Engine>,
    watch: Option<CommitWatch>,
    seen: Option<SyncStatus>,
}

impl SyncWatch {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        Self { engine: Arc::downgrade(engine), watch: None, seen: None }
    }

    /// The next status; `None` when the store is gone.
    pub async fn next(&mut self) -> Option<SyncStatus> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for SyncWatch {
    type Item = SyncStatus;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<SyncStatus>> {
        let Some(engine) = self.engine.upgrade() else { return Poll::Ready(None) };
        // Before the look, so that nothing is missed in between.
        self.watch = Some(CommitWatch::new(&engine, context.waker()));
        if matches!(
            engine.check_read(),
            Err(StoreError::Evicted { .. } | StoreError::Closed { .. } | StoreError::Stopped { .. })
        ) {
            return Poll::Ready(None);
        }
        let status = engine.sync_status();
        if self.seen.as_ref() == Some(&status) {
            return Poll::Pending;
        }
        self.seen = Some(status.clone());
        Poll::Ready(Some(status))
    }
}

impl fmt::Debug for SyncWatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SyncWatch").field("seen", &self.seen).finish_non_exhaustive()
    }
}
