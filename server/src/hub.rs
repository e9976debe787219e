//! The logs, with those who follow them: what is appended is heard of, in order, by every connection that pulls it live.
//!
//! A connection is told that a log has grown, not what was added: it reads on from its own cursor. So nothing overtakes anything, and a
//! connection that does not listen costs one number a store.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use larder_wire::{Event, PulledEvent, StoreId};
use tokio::sync::Notify;

use crate::{
    clock,
    metrics::Metrics,
    storage::{Append, AppendError, Page, PageSize, Storage, StorageError, encoded::take_page},
};

#[cfg(test)]
mod tests;

/// Events that are kept for those who follow a log, at most.
const RECENT_EVENTS: usize = 100;

/// Bytes of them, at most.
const RECENT_BYTES: usize = 128 * 1024;

/// What an event takes beside its texts, or a little more: five texts and the counts of who shares them.
const AROUND_EVENT: usize = 320;

/// Bytes of them of all logs together, at most. Beyond that a log is read from storage.
const ALL_RECENT_BYTES: usize = 64 * 1024 * 1024;

/// The logs and who follows them.
pub(crate) struct Hub {
    storage: Arc<dyn Storage>,
    logs: Mutex<Logs>,
    pub(crate) metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Logs {
    followed: HashMap<StoreId, Followed>,
    recent_bytes: usize,
    /// How many were ever followed.
    begun: u64,
}

#[derive(Default)]
struct Followed {
    /// Which following of the log it is.
    nth: u64,
    /// Its storage was read since it is followed: whatever was appended before is behind `head`, and all that comes is told.
    settled: bool,
    head: u64,
    recent: VecDeque<Arc<PulledEvent>>,
    recent_bytes: usize,
    followers: Vec<Arc<Mailbox>>,
}

/// Where a connection hears of the logs it follows. Its size is bounded by the stores of a connection.
#[derive(Default)]
pub(crate) struct Mailbox {
    news: Mutex<BTreeMap<StoreId, News>>,
    arrived: Notify,
}

/// What a connection has not looked at yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// The log's head.
    pub(crate) head: u64,
    /// In how many pushes it came there.
    pub(crate) pushes: usize,
    /// Bytes of their events.
    pub(crate) bytes: usize,
}

impl Mailbox {
    /// Everything new; waits until there is something.
    pub(crate) async fn take(&self) -> BTreeMap<StoreId, News> {
        loop {
            let arrived = self.arrived.notified();
            let news = std::mem::take(&mut *lock(&self.news));
            if !news.is_empty() {
                return news;
            }
            arrived.await;
        }
    }

    fn put(&self, store: &StoreId, head: u64, bytes: usize) {
        let mut all = lock(&self.news);
        let news = all.entry(store.clone()).or_default();
        news.head = news.head.max(head);
        news.pushes += 1;
        news.bytes += bytes;
        self.arrived.notify_one();
    }
}

/// How a push ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Done,
    Ahead { head: u64 },
    OtherBackend { expected: Arc<str> },
    Failed(StorageError),
}

/// What a pull gets.
#[derive(Clone, Debug)]
pub(crate) enum Pulled {
    Page { page: Page, backend_id: Arc<str> },
    OtherBackend { expected: Arc<str> },
    Failed(StorageError),
}

impl Hub {
    pub(crate) fn new(storage: Arc<dyn Storage>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { storage, logs: Mutex::default(), metrics })
    }

    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    /// Appends a batch that chains and tells the followers. It goes on when nobody waits for it any more: what is in the log is heard of.
    pub(crate) async fn push(self: Arc<Self>, store: StoreId, backend_id: Option<String>, batch: Vec<Event>) -> Pushed {
        let work = tokio::spawn(async move {
            match self.storage.identity(&store).await {
                Ok(expected) if backend_id.is_some_and(|met| *met != *expected) => {
                    return Pushed::OtherBackend { expected };
                }
                Ok(_) => {}
                Err(error) => return Pushed::Failed(error),
            }
            let Some(first) = batch.first() else { return Pushed::Done };
            let (expected_head, events) = (first.parent_seq_num, batch.len());
            let append = Append::new(store, expected_head, clock::now_ms(), batch);
            let (store, stamped, bytes) = (append.store.clone(), append.batch.clone(), append.bytes());
            match self.storage.append(append).await {
                Ok(head) => {
                    self.metrics.pushed(events, bytes);
                    self.publish(&store, head, &stamped, bytes);
                    Pushed::Done
                }
                Err(AppendError::Ahead { head }) => Pushed::Ahead { head },
                Err(AppendError::Storage(error)) => Pushed::Failed(error),
            }
        });
        let pushed = work.await.unwrap_or_else(|_| Pushed::Failed(StorageError::Failed("it panicked".to_owned())));
        if let Pushed::Failed(error) = &pushed {
            log(error);
        }
        pushed
    }

    fn publish(&self, store: &StoreId, head: u64, batch: &[Arc<PulledEvent>], bytes: usize) {
        let mut logs = lock(&self.logs);
        let Logs { followed, recent_bytes, .. } = &mut *logs;
        let Some(followed) = followed.get_mut(store) else { return };
        *recent_bytes -= followed.recent_bytes;
        followed.keep(head, batch, bytes);
        if *recent_bytes + followed.recent_bytes > ALL_RECENT_BYTES {
            followed.forget();
        }
        *recent_bytes += followed.recent_bytes;
        for follower in &followed.followers {
            follower.put(store, head, bytes);
        }
    }

    /// The page after a number, from what was just appended or from storage.
    pub(crate) async fn pull(
        self: Arc<Self>,
        store: StoreId,
        backend_id: Option<String>,
        after: u64,
        size: PageSize,
    ) -> Pulled {
        let backend = match self.storage.identity(&store).await {
            Ok(expected) if backend_id.is_some_and(|met| *met != *expected) => {
                return Pulled::OtherBackend { expected };
            }
            Ok(expected) => expected,
            Err(error) => return not_read(error),
        };
        if let Some(page) = self.recent(&store, after, size) {
            return Pulled::Page { page, backend_id: backend };
        }
        let nth = lock(&self.logs).followed.get(&store).map(|followed| followed.nth);
        match self.storage.read(&store, after, size).await {
            // Whatever a storage takes for large: a page that is too long for a message would break who pulls it.
            Ok(Page { events, head }) => {
                self.settle(&store, nth, head);
                let page = Page { events: take_page(events.into_iter(), size), head };
                Pulled::Page { page, backend_id: backend }
            }
            Err(error) => not_read(error),
        }
    }

    fn recent(&self, store: &StoreId, after: u64, size: PageSize) -> Option<Page> {
        let logs = lock(&self.logs);
        let followed = logs.followed.get(store)?;
        let oldest = followed.recent.front().filter(|_| followed.settled)?;
        if after < oldest.event.parent_seq_num || after >= followed.head {
            return None;
        }
        let from = usize::try_from(after - oldest.event.parent_seq_num).ok()?;
        let events = take_page(followed.recent.iter().skip(from).cloned(), size);
        (!events.is_empty()).then_some(Page { events, head: followed.head })
    }

    /// What was read of a log that was followed already ends there.
    fn settle(&self, store: &StoreId, nth: Option<u64>, head: u64) {
        let mut logs = lock(&self.logs);
        let Logs { followed, recent_bytes, .. } = &mut *logs;
        let Some(followed) = followed.get_mut(store).filter(|followed| Some(followed.nth) == nth) else { return };
        followed.settled = true;
        if head > followed.head {
            *recent_bytes -= followed.recent_bytes;
            followed.forget();
            followed.head = head;
        }
    }

    /// From now on a mailbox hears of a store's log.
    pub(crate) fn follow(&self, store: &StoreId, mailbox: &Arc<Mailbox>) {
        let mut logs = lock(&self.logs);
        let Logs { followed, begun, .. } = &mut *logs;
        let new = || {
            *begun += 1;
            Followed { nth: *begun, ..Followed::default() }
        };
        let followers = &mut followed.entry(store.clone()).or_insert_with(new).followers;
        if !followers.iter().any(|known| Arc::ptr_eq(known, mailbox)) {
            followers.push(mailbox.clone());
        }
    }

    /// From now on it does not.
    pub(crate) fn unfollow(&self, store: &StoreId, mailbox: &Arc<Mailbox>) {
        let mut logs = lock(&self.logs);
        if let Some(followed) = logs.followed.get_mut(store) {
            followed.followers.retain(|known| !Arc::ptr_eq(known, mailbox));
            if followed.followers.is_empty() {
                logs.recent_bytes -= logs.followed.remove(store).map_or(0, |gone| gone.recent_bytes);
            }
        }
    }

    /// Stores that somebody follows.
    pub(crate) fn followed(&self) -> usize {
        lock(&self.logs).followed.len()
    }
}

impl Followed {
    fn forget(&mut self) {
        self.recent.clear();
        self.recent_bytes = 0;
    }

    fn keep(&mut self, head: u64, batch: &[Arc<PulledEvent>], bytes: usize) {
        // Two appends may come here in the other order; the later head stands, and what is kept has no holes.
        if head <= self.head {
            return;
        }
        let follows = batch.first().is_some_and(|first| first.event.parent_seq_num == self.head);
        if !follows {
            self.forget();
        }
        self.head = head;
        self.recent.extend(batch.iter().cloned());
        self.recent_bytes += bytes + AROUND_EVENT * batch.len();
        while self.recent.len() > RECENT_EVENTS || self.recent_bytes > RECENT_BYTES {
            let Some(gone) = self.recent.pop_front() else { break };
            self.recent_bytes = self.recent_bytes.saturating_sub(gone.event.size() + AROUND_EVENT);
        }
    }
}

fn not_read(error: StorageError) -> Pulled {
    log(&error);
    Pulled::Failed(error)
}

/// Clients are not told what it is; who runs the server is.
fn log(error: &StorageError) {
    match error {
        StorageError::Closed => tracing::debug!(%error, "too late"),
        _ => tracing::error!(%error, "a request failed"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
