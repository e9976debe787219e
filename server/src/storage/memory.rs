//! Logs in memory: for tests, and for servers that may forget.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use larder_wire::{PulledEvent, StoreId};

use super::{Append, AppendError, BoxFuture, Page, PageSize, Storage, StorageError, encoded::take_page};

#[derive(Default)]
struct Logs {
    stores: HashMap<StoreId, Vec<Arc<PulledEvent>>>,
    closed: bool,
}

/// Logs in memory, gone when it is dropped.
pub struct MemoryStorage {
    identity: Arc<str>,
    logs: Mutex<Logs>,
}

impl MemoryStorage {
    /// No logs yet, and a new identity.
    #[must_use]
    pub fn new() -> Self {
        Self { identity: uuid::Uuid::new_v4().simple().to_string().into(), logs: Mutex::default() }
    }

    fn logs(&self) -> MutexGuard<'_, Logs> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append_now(&self, append: Append) -> Result<u64, AppendError> {
        let mut logs = self.logs();
        if logs.closed {
            return Err(StorageError::Closed.into());
        }
        let head = logs.stores.get(&append.store).map_or(0, head);
        if head != append.expected_head {
            return Err(AppendError::Ahead { head });
        }
        if append.batch.is_empty() {
            return Ok(head);
        }
        let log = logs.stores.entry(append.store).or_default();
        log.extend(append.batch);
        Ok(self::head(log))
    }

    fn read_now(&self, store: &StoreId, after: u64, size: PageSize) -> Page {
        let logs = self.logs();
        let log = logs.stores.get(store).map_or(&[][..], Vec::as_slice);
        let from = log.partition_point(|pulled| pulled.event.seq_num <= after);
        Page { events: take_page(log[from..].iter().cloned(), size), head: self::head(log) }
    }
}

fn head(log: impl AsRef<[Arc<PulledEvent>]>) -> u64 {
    log.as_ref().last().map_or(0, |last| last.event.seq_num)
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage").field("stores", &self.logs().stores.len()).finish_non_exhaustive()
    }
}

impl Storage for MemoryStorage {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<u64, AppendError>> {
        Box::pin(std::future::ready(self.append_now(append)))
    }

    fn read<'a>(&'a self, store: &'a StoreId, after: u64, size: PageSize) -> BoxFuture<'a, Result<Page, StorageError>> {
        Box::pin(std::future::ready(Ok(self.read_now(store, after, size))))
    }

    fn head<'a>(&'a self, store: &'a StoreId) -> BoxFuture<'a, Result<u64, StorageError>> {
        let head = self.logs().stores.get(store).map_or(0, self::head);
        Box::pin(std::future::ready(Ok(head)))
    }

    fn identity<'a>(&'a self, _store: &'a StoreId) -> BoxFuture<'a, Result<Arc<str>, StorageError>> {
        Box::pin(std::future::ready(Ok(self.identity.clone())))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.logs().closed = true;
        Box::pin(std::future::ready(()))
    }
}
