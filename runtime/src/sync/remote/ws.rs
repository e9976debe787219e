//! A sync server that is reached by WebSockets.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{StreamExt, stream};
use larder_wire::{Payload as WirePayload, Peer};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    asking::{ended, pull_of, say, told, whole},
    connect::OneStore,
    door::{Directions, Door},
    endpoint::{BackendUrlError, Scheme},
    frames::{Pull, Push},
    link::{Command, Link, PAGES},
};
use crate::{
    clock::Runtime,
    definition::BoxFuture,
    sync::{BackendError, BackendSupport, BoxStream, PullPage, PullRequest, PushAnswer, PushRequest, SyncBackend},
};

/// A sync server that is reached by WebSockets: larder's own, or one of LiveStore.
///
/// All stores of all registries that share this share one connection to a larder server, which is opened when the first of them syncs.
/// `sync_payload` goes with each request, never into the URL. A backend of LiveStore takes one store a connection, and the payload in the
/// URL, as its own clients send it: there it may end in logs.
///
/// ```no_run
/// use larder::{StoreOptions, StoreRegistry, WsBackend};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = StoreRegistry::builder()
///     .data_dir("data")
///     .defaults(StoreOptions::new().sync(WsBackend::new("wss://sync.example.com")?))
///     .build()?;
/// # Ok(()) }
/// ```
pub struct WsBackend {
    door: Door,
    address: String,
    runtime: Runtime,
    /// `None` is the one connection of all stores.
    links: Mutex<HashMap<Option<String>, Slot>>,
    requests: AtomicU64,
    /// Whether the last connection could be opened, and did not break.
    reachable: watch::Sender<bool>,
}

/// A connection that is opened by one at a time.
type Slot = Arc<tokio::sync::Mutex<Option<Link>>>;

/// How a [`WsBackend`] is reached, from [`WsBackend::builder`].
#[derive(Clone, Debug)]
#[must_use = "nothing is made before `build`"]
pub struct WsBackendBuilder(Directions);

impl WsBackend {
    /// The larder server at a URL that begins with `wss://`, or for this machine with `ws://`. Nothing is connected yet.
    ///
    /// # Errors
    /// [`BackendUrlError`]: the URL is none, has a secret in it, or plain text would go over the network.
    pub fn new(url: impl Into<String>) -> Result<Arc<Self>, BackendUrlError> {
        Self::builder(url).build()
    }

    /// As [`new`](Self::new), with more to say.
    pub fn builder(url: impl Into<String>) -> WsBackendBuilder {
        WsBackendBuilder(Directions::to(url.into()))
    }

    /// The connection for a store, opened if it is not open.
    async fn link(&self, sync_id: &str, payload: Option<&WirePayload>) -> Result<Link, BackendError> {
        let one_store = (self.door.peer == Peer::TypeScript)
            .then(|| OneStore { sync_id: sync_id.to_owned(), payload: payload.cloned() });
        let slot = {
            let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
            // Those of stores that nobody syncs any more. Who opens one has it, too.
            let is_open =
                |link: &Slot| link.try_lock().is_ok_and(|link| link.as_ref().is_some_and(|link| !link.is_over()));
            links.retain(|_, link| Arc::strong_count(link) > 1 || is_open(link));
            let key = one_store.as_ref().map(|one| one.sync_id.clone());
            Arc::clone(links.entry(key).or_default())
        };
        let mut link = slot.lock().await;
        if let Some(open) = link.as_ref().filter(|open| !open.is_over()) {
            return Ok(open.clone());
        }
        let opened = Link::open(&self.runtime, self.door.clone(), one_store, self.reachable.clone()).await?;
        Ok(link.insert(opened).clone())
    }

    async fn begin_pull(&self, pull: Pull) -> Result<Pages, BackendError> {
        let link = self.link(&pull.sync_id, pull.payload.as_ref()).await?;
        let (pages, taken) = mpsc::channel(PAGES);
        let id = self.requests.fetch_add(1, Ordering::Relaxed);
        link.commands.send(Command::Pull { id, pull, pages }).await.map_err(|_| ended())?;
        Ok(Pages { id, taken, link, begun: false })
    }

    /// The id of a store's log, for a first push of somebody who has never pulled.
    async fn backend_id(
        &self,
        sync_id: &str,
        after: u64,
        payload: Option<&WirePayload>,
    ) -> Result<String, BackendError> {
        let pull =
            Pull { sync_id: sync_id.to_owned(), after, backend_id: None, live: false, payload: payload.cloned() };
        match self.begin_pull(pull).await?.next().await {
            Some(page) => Ok(page?.backend_id),
            None => Err(BackendError::Other("the server answers a pull with no page".into())),
        }
    }
}

impl WsBackendBuilder {
    /// It is a backend of LiveStore (`@livestore/sync-cf`), or another server of that wire, and not larder's: each store has a connection of
    /// its own, and `sync_payload` is in its URL. Events have no ids there; own ones are known by what they say.
    pub fn of_livestore(mut self) -> Self {
        self.0.livestore = true;
        self
    }

    /// Events and tokens may go over the network in plain text: where the network itself is trusted.
    pub fn in_plain_text(mut self) -> Self {
        self.0.plain_text = true;
        self
    }

    /// Trusts a certificate beside those that browsers trust, in DER: of an authority of your own.
    pub fn trusting(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        self.0.trusted.push(certificate.into());
        self
    }

    /// # Errors
    /// As of [`WsBackend::new`], and [`BackendUrlError::Invalid`] for a certificate that is none.
    pub fn build(self) -> Result<Arc<WsBackend>, BackendUrlError> {
        let (door, runtime) = self.0.follow(Scheme::WebSocket)?;
        Ok(Arc::new(WsBackend {
            address: door.endpoint.address(),
            door,
            runtime,
            links: Mutex::default(),
            requests: AtomicU64::new(0),
            reachable: watch::Sender::new(true),
        }))
    }
}

/// The pages of one pull. Dropped, it gives the pull up.
struct Pages {
    id: u64,
    taken: mpsc::Receiver<Result<PullPage, BackendError>>,
    link: Link,
    begun: bool,
}

impl Pages {
    async fn next(&mut self) -> Option<Result<PullPage, BackendError>> {
        if std::mem::replace(&mut self.begun, true) {
            // The page before: who has a full queue hears of it by the next one.
            let _ = self.link.commands.try_send(Command::Taken(self.id));
        }
        self.taken.recv().await
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // A queue that is full is emptied soon, and a page that nobody takes says the same.
        let _ = self.link.commands.try_send(Command::GiveUp(self.id));
    }
}

impl SyncBackend for WsBackend {
    fn identity(&self) -> &str {
        &self.address
    }

    fn supports(&self) -> BackendSupport {
        BackendSupport::default().event_ids(self.door.peer == Peer::Larder)
    }

    fn connected(&self) -> bool {
        *self.reachable.borrow()
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        let mut reachable = self.reachable.subscribe();
        Box::pin(async move {
            // The sender is gone with the backend.
            let _ = reachable.changed().await;
        })
    }

    fn connect(&self) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async {
            match self.door.peer {
                Peer::Larder => drop(self.link("", None).await?),
                // Which store is asked for is not known here: the next one that syncs tries.
                Peer::TypeScript => Link::probe(&self.runtime, self.door.clone()).await?,
            }
            // An earlier connection may have said otherwise after this one was opened.
            say(&self.reachable, true);
            Ok(())
        })
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        let begin = async move { self.begin_pull(pull_of(request).await?).await };
        let pages = stream::once(begin).flat_map(|begun| match begun {
            Ok(pages) => {
                let next = |mut pages: Pages| async move { pages.next().await.map(|page| (page, pages)) };
                stream::unfold(pages, next).left_stream()
            }
            Err(error) => stream::iter([Err(error)]).right_stream(),
        });
        Box::pin(pages)
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        Box::pin(async move {
            whole(&request)?;
            let payload = told(request.payload).await?;
            let backend_id = match request.backend_id {
                Some(known) => known.to_owned(),
                None => self.backend_id(request.sync_id, request.expected_head, payload.as_ref()).await?,
            };
            let link = self.link(request.sync_id, payload.as_ref()).await?;
            let (answer, answered) = oneshot::channel();
            let id = self.requests.fetch_add(1, Ordering::Relaxed);
            let push =
                Push { sync_id: request.sync_id.to_owned(), events: request.events.to_vec(), backend_id, payload };
            link.commands.send(Command::Push { id, push, answer }).await.map_err(|_| ended())?;
            answered.await.map_err(|_| ended())?
        })
    }
}

impl fmt::Debug for WsBackend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.connected();
        formatter.debug_struct("WsBackend").field("address", &self.address).field("connected", &connected).finish()
    }
}
