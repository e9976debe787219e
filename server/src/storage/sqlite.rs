//! Logs in one SQLite file: many stores, one writer that groups commits, a few readers.

mod place;
mod readers;
mod recover;
mod schema;
mod writer;

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use larder_wire::StoreId;

use self::{place::Place, readers::Readers, writer::Writer};
use super::{Append, AppendError, BoxFuture, Page, PageSize, Storage, StorageError};

pub use recover::{Restored, backup, restore};

/// Logs in `log.sqlite` of a data directory.
///
/// Appends of many stores share transactions: a group is what arrived while the last one was written, at most 100 of them, and nothing waits
/// for a group to fill. `synchronous=FULL`: what was acknowledged survives a loss of power.
pub struct SqliteStorage {
    identity: Arc<str>,
    readers: Readers,
    writer: Writer,
    healthy: Arc<AtomicBool>,
}

impl SqliteStorage {
    /// Opens the logs of a data directory, and makes the directory where there is none.
    ///
    /// A log that is older than what the directory has seen, because somebody copied a backup over it, gets a new identity, and a warning.
    ///
    /// # Errors
    /// [`StorageError::Open`]: another server has the directory, it is another program's, of a newer version, or cannot be read, or its log is gone.
    /// [`StorageError::Damaged`]: the log has no identity.
    pub fn open(data: &Path) -> Result<Self, StorageError> {
        let mut place = Place::lock(data)?;
        place.check()?;
        let mut connection = schema::open_log(&place.log())?;
        let identity = place.settle(&mut connection)?;
        let healthy = Arc::new(AtomicBool::new(true));
        let readers = Readers::new(place.log());
        let writer = Writer::start(connection, place, healthy.clone())?;
        Ok(Self { identity: identity.into(), readers, writer, healthy })
    }

    /// The identity of its logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.identity
    }
}

impl fmt::Debug for SqliteStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStorage").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Storage for SqliteStorage {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<u64, AppendError>> {
        Box::pin(self.writer.append(append))
    }

    fn read<'a>(&'a self, store: &'a StoreId, after: u64, size: PageSize) -> BoxFuture<'a, Result<Page, StorageError>> {
        Box::pin(self.readers.read(store, after, size))
    }

    fn head<'a>(&'a self, store: &'a StoreId) -> BoxFuture<'a, Result<u64, StorageError>> {
        Box::pin(self.readers.head(store))
    }

    fn identity<'a>(&'a self, _store: &'a StoreId) -> BoxFuture<'a, Result<Arc<str>, StorageError>> {
        Box::pin(std::future::ready(Ok(self.identity.clone())))
    }

    fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Acquire)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.readers.close();
            self.writer.close().await;
        })
    }
}
