//! The seam that sync backends implement.

use std::{fmt, pin::Pin};

use futures_core::Stream;

use crate::{
    definition::BoxFuture,
    error::{BoxError, one_line, shown},
    event::{EventNumber, StoredEvent},
    options::Payload,
};

/// A stream that is boxed so that a trait method can return it; `Send`, so that an executor may move it to another thread.
pub type BoxStream<'a, T> = Pin<Box<dyn Stream<Item = T> + Send + 'a>>;

/// A sync backend: it keeps one log for each sync id, and decides the order of its events.
///
/// All that it has to be able to do is to append a batch if that follows the head, and to read from a number on. Each log has an id of its
/// own, [`PullPage::backend_id`], which is another one as soon as it is another log: replaced, or restored from a backup.
///
/// `larder::testing::sync_backend_conforms` (feature `testing`) tests an implementation.
pub trait SyncBackend: Send + Sync + 'static {
    /// Names the backend, reachable or not: its address. One backend and sync id belong to one store in a data dir.
    fn identity(&self) -> &str;

    /// What it can do.
    fn supports(&self) -> BackendSupport {
        BackendSupport::default()
    }

    /// Whether it can be reached now, as far as that was tried: before the first try one says that it can.
    fn connected(&self) -> bool;

    /// Resolves when [`connected`](Self::connected) answers something else than at the call.
    fn connection_changed(&self) -> BoxFuture<'static, ()>;

    /// Tries to be connected. Called while it is not and somebody wants it to be, again after a while if it fails. A backend that looks after its
    /// connection by itself leaves it as it is.
    ///
    /// # Errors
    /// Why there is no connection.
    fn connect(&self) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// The events of one store behind a number, oldest first, in pages, of which there is at least one. The page that brings the last event there is
    /// says [`Remaining::Nothing`]. After it the stream ends, or goes on with what is pushed later, by this client as by others, if that
    /// was asked for and is [supported](BackendSupport::live_pull). A stream is of one log: when another one takes its place, it ends with
    /// [`BackendError::OtherBackend`].
    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>>;

    /// Appends events of one store, oldest first, if they follow its head; all or none.
    ///
    /// # Errors
    /// Whatever keeps the backend from answering. Then nobody knows whether it has them, and they may come again: it need not know
    /// them by their ids, as its head is beyond what they follow then.
    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>>;
}

/// What a [`SyncBackend`] can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackendSupport {
    /// It keeps the ids of events. Own events are known by them; without, by number, name, client, session and arguments.
    pub event_ids: bool,
    /// A pull can go on with what is pushed later. Without, larder pulls every 5 s.
    pub live_pull: bool,
}

impl BackendSupport {
    /// As it says, for those that can less.
    #[must_use]
    pub fn event_ids(self, event_ids: bool) -> Self {
        Self { event_ids, ..self }
    }

    /// As it says, for those that can less.
    #[must_use]
    pub fn live_pull(self, live_pull: bool) -> Self {
        Self { live_pull, ..self }
    }
}

impl Default for BackendSupport {
    /// All of it.
    fn default() -> Self {
        Self { event_ids: true, live_pull: true }
    }
}

/// Asks for the events of one store.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PullRequest<'a> {
    /// The store's id on the wire.
    pub sync_id: &'a str,
    /// The number in the agreed order behind which to begin; 0 for all events.
    pub after: u64,
    /// The id of the log that this number is of, if there was one.
    pub backend_id: Option<&'a str>,
    /// What a page before said that it wants to be told: the last one that did and whose events are all taken over, behind which others may be.
    pub metadata: Option<&'a str>,
    /// Whether the stream is to go on with what is pushed later.
    pub live: bool,
    /// What the backend is told of who asks, as it stands now.
    pub payload: &'a Payload,
}

impl<'a> PullRequest<'a> {
    /// All events of a store, once.
    pub fn new(sync_id: &'a str, payload: &'a Payload) -> Self {
        Self { sync_id, after: 0, backend_id: None, metadata: None, live: false, payload }
    }

    /// Those behind a number of the log with this id.
    #[must_use]
    pub fn after(self, after: u64, backend_id: Option<&'a str>) -> Self {
        Self { after, backend_id, ..self }
    }

    /// What a page before said that it wants to be told.
    #[must_use]
    pub fn metadata(self, metadata: Option<&'a str>) -> Self {
        Self { metadata, ..self }
    }

    /// Whether the stream is to go on with what is pushed later.
    #[must_use]
    pub fn live(self, live: bool) -> Self {
        Self { live, ..self }
    }
}

/// Events in the agreed order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PullPage {
    /// The events, oldest first, each the one that follows; none when there are none.
    pub events: Vec<StoredEvent>,
    /// What there is behind them now.
    pub remaining: Remaining,
    /// The id of the log.
    pub backend_id: String,
    /// The last number of the log when the page was read, if the backend says so: one that went back behind what it had confirmed is noticed
    /// by it before anything is pushed.
    pub head: Option<u64>,
    /// What the backend wants to be told with a pull that goes on behind this page, for its own use: where that begins in a storage that does not
    /// count as the log does. At most [`METADATA_BYTES`](Self::METADATA_BYTES). It is kept in the store's file, in the transaction that takes over the
    /// page's last event, until another page says something else, or another log takes this one's place. Of a page that has nothing but own events
    /// whose push was accepted it is not kept: the one before holds, and they come again. While there is one, the last confirmed event is not compared:
    /// the backend says itself where it goes on.
    pub metadata: Option<String>,
}

impl PullPage {
    /// Most bytes of [`metadata`](Self::metadata). A page with more is an error.
    pub const METADATA_BYTES: usize = 4_096;

    /// A page.
    pub fn new(events: Vec<StoredEvent>, remaining: Remaining, backend_id: impl Into<String>) -> Self {
        Self { events, remaining, backend_id: backend_id.into(), head: None, metadata: None }
    }

    /// With the last number of the log when the page was read.
    #[must_use]
    pub fn head(self, head: Option<u64>) -> Self {
        Self { head, ..self }
    }

    /// With what the backend wants to be told with a pull that goes on behind it.
    #[must_use]
    pub fn metadata(self, metadata: Option<String>) -> Self {
        Self { metadata, ..self }
    }
}

/// What there is behind a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// Nothing: the page brings the head.
    Nothing,
    /// So many events.
    Known(u64),
    /// More, and nobody says how many.
    Some,
}

/// Events of one store that its backend does not have yet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PushRequest<'a> {
    /// The store's id on the wire.
    pub sync_id: &'a str,
    /// The number in the agreed order that the events follow.
    pub expected_head: u64,
    /// The events, oldest first. Each has the number that follows.
    pub events: &'a [StoredEvent],
    /// The id of the log that the number is of, if it is known.
    pub backend_id: Option<&'a str>,
    /// What the backend is told of who asks, as it stands now.
    pub payload: &'a Payload,
}

impl<'a> PushRequest<'a> {
    /// Events that follow a number.
    pub fn new(sync_id: &'a str, expected_head: u64, events: &'a [StoredEvent], payload: &'a Payload) -> Self {
        Self { sync_id, expected_head, events, backend_id: None, payload }
    }

    /// The number is of the log with this id.
    #[must_use]
    pub fn backend_id(self, backend_id: Option<&'a str>) -> Self {
        Self { backend_id, ..self }
    }

    /// The first event that is not the one that follows, if there is one: what a backend checks beside its own head.
    pub fn gap(&self) -> Option<EventNumber> {
        // Behind the last number that there is nothing follows.
        let follows = |index: u64| self.expected_head.checked_add(index);
        let mut numbers = self.events.iter().map(|event| event.number).zip(1..);
        numbers
            .find(|(number, index)| number.is_client_only() || follows(*index) != Some(number.global()))
            .map(|(number, _)| number)
    }
}

/// What a backend says to a push.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushAnswer {
    /// The events are in the log, durably, under the numbers that they were pushed with.
    Accepted {
        /// The id of the log.
        backend_id: String,
    },
    /// They do not follow the head, and nothing was appended.
    Ahead {
        /// The head.
        head: u64,
    },
    /// The number that they follow is of another log, and nothing was appended.
    OtherBackend {
        /// The id of the log.
        backend_id: String,
    },
}

/// Why a backend does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// It cannot be reached.
    #[error("the backend cannot be reached: {}", one_line(reason))]
    Offline {
        /// Why not.
        reason: String,
    },
    /// It does not know who asks, or does not let them. The payload is asked for again before the next try.
    #[error("the backend refuses access: {}", one_line(reason))]
    Unauthorized {
        /// What it says.
        reason: String,
    },
    /// It answers, and does not do what was asked, for a reason that lies in what was asked.
    #[error("the backend refuses what {refusal}: {}", one_line(reason))]
    Refused {
        /// What kind of reason.
        refusal: Refusal,
        /// What it says.
        reason: String,
    },
    /// The number that a pull begins behind is of another log.
    #[error("the backend has another log, with id {}", shown(backend_id))]
    OtherBackend {
        /// The id of the log that it has.
        backend_id: String,
    },
    /// All else.
    #[error(transparent)]
    Other(#[from] BoxError),
}

/// Of what kind a backend's reason is to refuse what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// More at once than it takes. Some time later it is taken.
    TooFast,
    /// An event, a batch or a message beyond its limits, or more stores. As long as the limits are what they are it is refused each time.
    TooLarge,
    /// Not what it takes at all: events that do not follow each other, a sync id that is none. It is refused each time.
    Invalid,
}

impl fmt::Display for Refusal {
    /// As in "the backend refuses what ...".
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TooFast => "comes too fast",
            Self::TooLarge => "is beyond its limits",
            Self::Invalid => "it takes for invalid",
        })
    }
}

impl Refusal {
    /// What whoever runs the app can do.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::TooFast => "it is tried again after a pause; raise the server's limits if that does not end",
            Self::TooLarge => "raise the server's limits to the app's; the events stay, and are tried again",
            Self::Invalid => "the reason says what; the events stay, and are tried again",
        }
    }
}

/// What to do when the backend's log is another one than before: it was replaced, or went back behind what it had confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnBackendChange {
    /// Sync of the store stops, with [`SyncError::BackendIdMismatch`](crate::SyncError::BackendIdMismatch) or
    /// [`SyncError::BackendRolledBack`](crate::SyncError::BackendRolledBack) in its status, until it is loaded again. All data stays.
    #[default]
    Stop,
    /// The store begins anew with the new log: what others have committed is what that says, and what this client has committed and was not
    /// confirmed yet is pending behind it. A stream of events goes on behind the number that it had reached.
    Reset {
        /// Whether what this client has committed and was confirmed is sent again, as far as the new log does not have it. It is known by
        /// the ids of events; of a backend that keeps none, what it still has comes twice. If not, what is not in the new log is gone.
        resend_own: bool,
    },
    /// The new log is taken for the old one: for a backend that has changed its id and nothing else. One that went back still stops sync.
    Ignore,
}
