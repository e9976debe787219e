//! Why a commit failed; the events come back with it.

use std::fmt;

use super::{BoxError, QueryErrorKind, StoreError, shown};
use crate::{event::EventEncodeError, store::StoreName, value::ValueError};

/// A commit that failed: nothing changed, and the events are here again.
pub struct CommitError<E> {
    inner: Box<Inner<E>>,
}

struct Inner<E> {
    kind: CommitErrorKind,
    events: Vec<E>,
}

impl<E> CommitError<E> {
    pub(crate) fn new(kind: CommitErrorKind, events: Vec<E>) -> Self {
        Self { inner: Box::new(Inner { kind, events }) }
    }

    /// Why it failed.
    pub fn kind(&self) -> &CommitErrorKind {
        &self.inner.kind
    }

    /// The store that refused it.
    pub fn store(&self) -> &StoreName {
        match &self.inner.kind {
            CommitErrorKind::Store(error) => error.store(),
            CommitErrorKind::Encode { store, .. }
            | CommitErrorKind::EventTooLarge { store, .. }
            | CommitErrorKind::LabelsTooLong { store, .. }
            | CommitErrorKind::TooManyEvents { store, .. }
            | CommitErrorKind::NumbersExhausted { store, .. }
            | CommitErrorKind::Materialize { store, .. }
            | CommitErrorKind::MaterializerPanicked { store, .. }
            | CommitErrorKind::Reentrant { store, .. }
            | CommitErrorKind::DiskFull { store }
            | CommitErrorKind::Storage { store, .. } => store,
        }
    }

    /// The row that is there already, if that is why: see [`MaterializeError::existing_row`].
    ///
    /// ```
    /// # use larder::{CommitError, Receipt};
    /// /// Whether a login is free is found out by taking it.
    /// fn is_taken<E>(committed: &Result<Receipt, CommitError<E>>) -> bool {
    ///     let row = committed.as_ref().err().and_then(CommitError::existing_row);
    ///     row.is_some_and(|row| row.table == "people" && row.columns == ["login"])
    /// }
    /// ```
    pub fn existing_row(&self) -> Option<ExistingRow<'_>> {
        match &self.inner.kind {
            CommitErrorKind::Materialize { source, .. } => source.existing_row(),
            _ => None,
        }
    }

    /// The events that were to be committed.
    pub fn events(&self) -> &[E] {
        &self.inner.events
    }

    /// The events that were to be committed, to try again.
    pub fn into_events(self) -> Vec<E> {
        self.inner.events
    }
}

impl<E> fmt::Display for CommitError<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.kind.fmt(formatter)
    }
}

impl<E> fmt::Debug for CommitError<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CommitError")
            .field("kind", &self.inner.kind)
            .field("events", &format_args!("{} events", self.inner.events.len()))
            .finish()
    }
}

impl<E> std::error::Error for CommitError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.kind.source()
    }
}

/// Why a commit failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitErrorKind {
    /// The store takes no commits any more.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An event has no JSON.
    #[error("event `{event}` of store {store} cannot be encoded: {source}; nothing was committed")]
    Encode {
        /// Which store.
        store: StoreName,
        /// The event's wire name.
        event: &'static str,
        /// What serde or larder said.
        source: EventEncodeError,
    },
    /// An event is too large: its arguments, as JSON.
    #[error(
        "event `{event}` of store {store} is {bytes} bytes, the limit is {limit}; split it, keep large content in a file, or raise `max_event_bytes`, and `event_bytes` and `batch_bytes` of a sync server"
    )]
    EventTooLarge {
        /// Which store.
        store: StoreName,
        /// The event's wire name.
        event: &'static str,
        /// Its encoded size.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The event's name and the ids of who commits it are longer than any sync server takes.
    #[error(
        "the name of event `{}` of store {store} and the ids of its client and session are {bytes} bytes, the limit is {limit}; use shorter ones",
        shown(event)
    )]
    LabelsTooLong {
        /// Which store.
        store: StoreName,
        /// The event's wire name.
        event: &'static str,
        /// How long they are together.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Too many events at once.
    #[error(
        "{count} events in one commit to store {store}, the limit is {limit}; commit in parts, or raise `max_commit_events`"
    )]
    TooManyEvents {
        /// Which store.
        store: StoreName,
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// The log has no numbers left.
    #[error("store {store} has no event number after {last}; start a new store")]
    NumbersExhausted {
        /// Which store.
        store: StoreName,
        /// The last event's number.
        last: crate::event::EventNumber,
    },
    /// The materializer refused the event.
    #[error("event `{event}` of store {store} does not materialize: {source}; nothing was committed")]
    Materialize {
        /// Which store.
        store: StoreName,
        /// The event's wire name.
        event: &'static str,
        /// What the materializer returned.
        source: MaterializeError,
    },
    /// The materializer panicked.
    #[error(
        "the materializer of event `{event}` of store {store} panicked: {message}; nothing was committed, mend the materializer"
    )]
    MaterializerPanicked {
        /// Which store.
        store: StoreName,
        /// The event's wire name.
        event: &'static str,
        /// The panic's message.
        message: String,
    },
    /// A commit that would wait for itself: from inside a materializer or `read` of the same store, or of another store that somebody
    /// holds who waits for this thread.
    #[error("a commit to store {store} from inside {inside}; commit when that has ended")]
    Reentrant {
        /// Which store.
        store: StoreName,
        /// What the commit came from inside of.
        inside: &'static str,
    },
    /// The disk is full.
    #[error("the disk is full, nothing was committed to store {store}; free some space and commit again")]
    DiskFull {
        /// Which store.
        store: StoreName,
    },
    /// Another failure of storage; nothing was committed.
    #[error("storage of store {store} failed: {message}; nothing was committed, commit again once the cause is gone")]
    Storage {
        /// Which store.
        store: StoreName,
        /// What SQLite or the operating system said.
        message: String,
    },
}

/// Which row is there already, from [`CommitError::existing_row`] and [`MaterializeError::existing_row`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExistingRow<'a> {
    /// Its table.
    pub table: &'a str,
    /// The columns of the primary key, or the unique columns, that it has in common with the row that was to be written; empty
    /// where SQLite does not tell.
    pub columns: &'a [String],
}

/// Why a materializer refused an event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaterializeError {
    /// A row with the same primary key or unique columns exists; [`existing_row`](Self::existing_row) says so without a match.
    #[error("table `{table}` already has such a row: {message}; use `upsert` if that is meant")]
    Exists {
        /// The table.
        table: String,
        /// The columns whose values the row has, in the order of the key or unique index; empty where SQLite does not tell.
        columns: Vec<String>,
        /// SQLite's words.
        message: String,
    },
    /// `run_one` matched another number of rows.
    #[error("{matched} rows of table `{table}` matched where exactly one was expected; use `run` if that is meant")]
    NotOne {
        /// The table.
        table: &'static str,
        /// How many.
        matched: u64,
    },
    /// A foreign key would point to nothing.
    #[error(
        "a reference of table `{table}` has no row to point to, or a row that is pointed to would go: {message}; write the row first, or delete what points to it"
    )]
    Reference {
        /// The table, where it is known.
        table: String,
        /// SQLite's words.
        message: String,
    },
    /// A value has no stored form.
    #[error("column `{column}` of table `{table}`: {source}")]
    Value {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        source: ValueError,
    },
    /// SQL that the app wrote failed or is not allowed in a materializer.
    #[error("SQL in a materializer failed: {message}; change the statement")]
    Sql {
        /// SQLite's words.
        message: String,
    },
    /// Storage failed below the materializer.
    #[error("storage failed: {message}; return this error, the commit has failed with it")]
    Storage {
        /// SQLite's words.
        message: String,
        /// Whether the disk is full.
        disk_full: bool,
    },
    /// A read inside the materializer failed.
    #[error(transparent)]
    Query(#[from] QueryErrorKind),
    /// The app's own reason.
    #[error("{0}")]
    App(BoxError),
}

impl MaterializeError {
    /// The row that is there already, if that is why: a write would have given its primary key or unique columns to another one.
    pub fn existing_row(&self) -> Option<ExistingRow<'_>> {
        match self {
            Self::Exists { table, columns, .. } => Some(ExistingRow { table, columns }),
            _ => None,
        }
    }

    /// A refusal with the app's own reason.
    pub fn app(reason: impl Into<BoxError>) -> Self {
        Self::App(reason.into())
    }
}
