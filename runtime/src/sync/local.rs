//! A backend in the memory of the process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::stream;
use tokio::sync::watch;

use super::{BackendError, BoxStream, PullPage, PullRequest, PushAnswer, PushRequest, Refusal, Remaining, SyncBackend};
use crate::{
    definition::BoxFuture,
    event::{EventNumber, StoredEvent},
};

/// Events of one page.
const PAGE_EVENTS: usize = 100;

/// A sync backend in the memory of the process, for tests and examples: registries that share one, or [connections](Self::another) to one,
/// are clients of each other.
///
/// ```
/// use std::sync::Arc;
/// use larder::{LocalBackend, StoreOptions, SyncBackend};
/// let at_home = LocalBackend::new("memory");
/// let on_the_road = at_home.another();
/// on_the_road.set_connected(false);
/// assert!(at_home.connected() && !on_the_road.connected());
/// let options = StoreOptions::new().sync(Arc::clone(&at_home) as Arc<dyn SyncBackend>);
/// # drop(options);
/// ```
pub struct LocalBackend {
    address: String,
    logs: Arc<Logs>,
    connected: watch::Sender<bool>,
}

#[derive(Default)]
struct Logs {
    logs: Mutex<HashMap<String, Log>>,
    /// Counts what was pushed.
    pushed: watch::Sender<u64>,
}

struct Log {
    id: String,
    events: Vec<StoredEvent>,
}

impl Default for Log {
    fn default() -> Self {
        Self { id: uuid::Uuid::new_v4().simple().to_string(), events: Vec::new() }
    }
}

impl Logs {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Log>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LocalBackend {
    /// A backend without events, connected.
    pub fn new(address: impl Into<String>) -> Arc<Self> {
        let logs = Arc::default();
        Arc::new(Self { address: address.into(), logs, connected: watch::Sender::new(true) })
    }

    /// Another connection to the same logs, which is cut and mended by itself.
    pub fn another(&self) -> Arc<Self> {
        let (address, logs) = (self.address.clone(), Arc::clone(&self.logs));
        Arc::new(Self { address, logs, connected: watch::Sender::new(true) })
    }

    /// Cuts this connection, or mends it. What is on its way is lost.
    pub fn set_connected(&self, connected: bool) {
        self.connected.send_if_modified(|now| std::mem::replace(now, connected) != connected);
    }

    /// All events of a store's log, in the agreed order.
    pub fn events(&self, sync_id: &str) -> Vec<StoredEvent> {
        self.logs.lock().get(sync_id).map(|log| log.events.clone()).unwrap_or_default()
    }

    /// Puts another log in the place of a store's, with another id: what a backend does that is replaced, or restored from a backup.
    pub fn replace(&self, sync_id: &str, events: Vec<StoredEvent>) {
        self.logs.lock().insert(sync_id.to_owned(), Log { events, ..Log::default() });
        self.logs.pushed.send_modify(|pushed| *pushed += 1);
    }

    fn check_connected(&self) -> Result<(), BackendError> {
        if *self.connected.borrow() {
            return Ok(());
        }
        Err(BackendError::Offline { reason: format!("the connection to `{}` is cut", self.address) })
    }

    fn page(&self, sync_id: &str, after: u64, backend_id: Option<&str>) -> Result<PullPage, BackendError> {
        self.check_connected()?;
        let mut logs = self.logs.lock();
        let log = logs.entry(sync_id.to_owned()).or_default();
        if backend_id.is_some_and(|id| id != log.id) {
            return Err(BackendError::OtherBackend { backend_id: log.id.clone() });
        }
        let rest = log.events.get(usize::try_from(after).unwrap_or(usize::MAX)..).unwrap_or_default();
        let (page, left) = rest.split_at(rest.len().min(PAGE_EVENTS));
        let remaining = if left.is_empty() { Remaining::Nothing } else { Remaining::Known(left.len() as u64) };
        Ok(PullPage::new(page.to_vec(), remaining, log.id.clone()).head(Some(log.events.len() as u64)))
    }

    fn append(&self, request: &PushRequest<'_>) -> Result<PushAnswer, BackendError> {
        self.check_connected()?;
        let mut logs = self.logs.lock();
        let log = logs.entry(request.sync_id.to_owned()).or_default();
        let head = log.events.len() as u64;
        let backend_id = log.id.clone();
        if request.backend_id.is_some_and(|id| id != backend_id) {
            return Ok(PushAnswer::OtherBackend { backend_id });
        }
        if request.expected_head != head {
            return Ok(PushAnswer::Ahead { head });
        }
        if let Some(number) = request.gap() {
            let reason = format!("event {number} does not follow the one before");
            return Err(BackendError::Refused { refusal: Refusal::Invalid, reason });
        }
        let agreed =
            |event: &StoredEvent| StoredEvent { number: EventNumber::synced(event.number.global()), ..event.clone() };
        log.events.extend(request.events.iter().map(agreed));
        drop(logs);
        self.logs.pushed.send_modify(|pushed| *pushed += 1);
        Ok(PushAnswer::Accepted { backend_id })
    }
}

/// A pull that goes on.
struct Pull<'a> {
    backend: &'a LocalBackend,
    request: PullRequest<'a>,
    pushed: watch::Receiver<u64>,
    connected: watch::Receiver<bool>,
    /// The log that the first page was of.
    log: Option<String>,
    over: bool,
}

impl Pull<'_> {
    async fn next(&mut self) -> Option<Result<PullPage, BackendError>> {
        loop {
            if self.over {
                return None;
            }
            self.pushed.mark_unchanged();
            let PullRequest { sync_id, after, backend_id, live, .. } = self.request;
            let page = match self.backend.page(sync_id, after, self.log.as_deref().or(backend_id)) {
                Ok(page) => page,
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            };
            if !page.events.is_empty() || self.log.is_none() {
                self.log = Some(page.backend_id.clone());
                self.request.after += page.events.len() as u64;
                self.over = !live && page.remaining == Remaining::Nothing;
                return Some(Ok(page));
            }
            let (pushed, connected) = (std::pin::pin!(self.pushed.changed()), std::pin::pin!(self.connected.changed()));
            futures_util::future::select(pushed, connected).await;
        }
    }
}

impl SyncBackend for LocalBackend {
    fn identity(&self) -> &str {
        &self.address
    }

    fn connected(&self) -> bool {
        *self.connected.borrow()
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        let mut connected = self.connected.subscribe();
        Box::pin(async move {
            let _ = connected.changed().await;
        })
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        let (pushed, connected) = (self.logs.pushed.subscribe(), self.connected.subscribe());
        let pull = Pull { backend: self, request, pushed, connected, log: None, over: false };
        Box::pin(stream::unfold(pull, async |mut pull| pull.next().await.map(|page| (page, pull))))
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        Box::pin(async move { self.append(&request) })
    }
}

impl std::fmt::Debug for LocalBackend {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LocalBackend")
            .field("address", &self.address)
            .field("connected", &self.connected())
            .finish_non_exhaustive()
    }
}
