//! Where logs live, behind one trait.

pub(crate) mod encoded;
mod memory;
mod sqlite;

use std::{fmt, pin::Pin, sync::Arc};

use larder_wire::{Metadata, PulledEvent, StoreId};

pub use memory::MemoryStorage;
pub use sqlite::{Restored, SqliteStorage, backup, restore};

/// A future that threads may share out.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The logs of many stores.
///
/// Four things are all that a backend needs; [`conformance`](crate::conformance) tests that an implementation does them.
pub trait Storage: Send + Sync + 'static {
    /// Appends a batch to a store's log if its head is the expected one: all of it or nothing, durable when the future resolves.
    ///
    /// The batch chains from `expected_head`; the caller has seen to that. An empty batch changes nothing. A store that was never
    /// appended to has head 0.
    ///
    /// Dropping the future does not undo what was begun.
    ///
    /// # Errors
    /// [`AppendError::Ahead`] with the head that the log has, and [`AppendError::Storage`], after which nothing of the batch is there; but where
    /// the disk itself failed, all of it may be there when it is read again.
    fn append(&self, append: Append) -> BoxFuture<'_, Result<u64, AppendError>>;

    /// The events after a number, oldest first: as many as fit a page, and at least one where there is one.
    ///
    /// # Errors
    /// [`StorageError`]: the log cannot be read.
    fn read<'a>(&'a self, store: &'a StoreId, after: u64, size: PageSize) -> BoxFuture<'a, Result<Page, StorageError>>;

    /// The number of a log's last event, 0 where there is none.
    ///
    /// # Errors
    /// [`StorageError`]: the log cannot be read.
    fn head<'a>(&'a self, store: &'a StoreId) -> BoxFuture<'a, Result<u64, StorageError>>;

    /// Names the log for its whole life. A log that was restored from a backup has another identity than the one it was copied from.
    ///
    /// # Errors
    /// [`StorageError`]: the log cannot be read.
    fn identity<'a>(&'a self, store: &'a StoreId) -> BoxFuture<'a, Result<Arc<str>, StorageError>>;

    /// Whether it takes appends, as far as it knows.
    fn healthy(&self) -> bool {
        true
    }

    /// Ends what is in progress and lets go of files. Appends after it fail.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What to append.
#[derive(Clone, Debug)]
pub struct Append {
    /// To which store's log.
    pub store: StoreId,
    /// The head that the log must have.
    pub expected_head: u64,
    /// The moment at which the events were taken, in milliseconds since 1970; their metadata says the same.
    pub created_ms: i64,
    /// The events, in order.
    pub batch: Vec<Arc<PulledEvent>>,
}

impl Append {
    /// Events of a store, taken at a moment in milliseconds since 1970.
    #[must_use]
    pub fn new(store: StoreId, expected_head: u64, created_ms: i64, events: Vec<larder_wire::Event>) -> Self {
        let created_at = crate::clock::iso(created_ms);
        let stamped =
            |event| Arc::new(PulledEvent { event, metadata: Some(Metadata { created_at: created_at.clone() }) });
        Self { store, expected_head, created_ms, batch: events.into_iter().map(stamped).collect() }
    }

    /// Bytes of its events.
    pub(crate) fn bytes(&self) -> usize {
        self.batch.iter().map(|pulled| pulled.event.size()).sum()
    }
}

/// How large a page may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize {
    /// Events at most.
    pub events: usize,
    /// Bytes of events as JSON has them, at most, though one larger event is a page of its own.
    pub bytes: usize,
}

impl Default for PageSize {
    /// 100 events, 900,000 bytes: what TypeScript clients are used to.
    fn default() -> Self {
        Self { events: 100, bytes: 900_000 }
    }
}

/// A part of a log.
#[derive(Clone, Debug)]
pub struct Page {
    /// The events, in order.
    pub events: Vec<Arc<PulledEvent>>,
    /// The log's head when they were read.
    pub head: u64,
}

/// Why a batch was not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The log's head is another one.
    #[error("the log's head is e{head}; pull what is missing and push again")]
    Ahead {
        /// The head.
        head: u64,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a log cannot be read or written.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// It failed this time, and may work again: a full disk, say.
    #[error("the storage failed: {0}")]
    Failed(String),
    /// A write or sync failed in a way that leaves open what is on disk. Nothing more is written until the server is started again.
    #[error("an earlier write failed ({0}); look at the disk and start the server again")]
    Poisoned(String),
    /// What is stored is not what was written.
    #[error("the log is damaged: {0}; restore a backup with `larder-server restore`")]
    Damaged(String),
    /// It was closed.
    #[error("the storage is closed; the server is stopping")]
    Closed,
    /// The data directory cannot be used.
    #[error("{0}")]
    Open(String),
}

impl StorageError {
    /// What clients are told: the rest is for those who run the server, who have it in their log.
    pub(crate) fn told(&self) -> &'static str {
        match self {
            Self::Closed => "the server is stopping; connect again in a moment",
            Self::Failed(_) | Self::Poisoned(_) | Self::Open(_) => "the storage failed; try again later",
            Self::Damaged(_) => "the log is damaged; who runs the server must look at it",
        }
    }
}

impl fmt::Debug for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
