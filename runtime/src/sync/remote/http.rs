//! A sync server that is reached by HTTP.

use std::{fmt, sync::Arc};

use futures_util::{StreamExt, stream};
use larder_wire::Peer;
use tokio::sync::{mpsc, oneshot};

use super::{
    asking::{ended, pull_of, say, shut_down, told, whole},
    door::Directions,
    endpoint::{BackendUrlError, Scheme},
    exchange::{Ask, Exchanges},
    frames::{Heard, Pull, Push},
};
use crate::{
    definition::BoxFuture,
    sync::{BackendError, BackendSupport, BoxStream, PullPage, PullRequest, PushAnswer, PushRequest, SyncBackend},
};

/// Pages of a pull that wait to be taken. The server sends no more meanwhile.
const PAGES: usize = 4;

/// A sync server that is reached by HTTP, larder's own or one of LiveStore: for networks that let no WebSocket through.
///
/// What others commit is asked for every 5 s; over a `WsBackend` (feature `ws`) it comes at once. `sync_payload` goes with each request, never
/// into the URL. A backend of LiveStore gets it in the URL, as its own clients send it: there it may end in logs.
///
/// ```no_run
/// use larder::{HttpBackend, StoreOptions, StoreRegistry};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = StoreRegistry::builder()
///     .data_dir("data")
///     .defaults(StoreOptions::new().sync(HttpBackend::new("https://sync.example.com")?))
///     .build()?;
/// # Ok(()) }
/// ```
pub struct HttpBackend {
    exchanges: Arc<Exchanges>,
    address: String,
}

/// How an [`HttpBackend`] is reached, from [`HttpBackend::builder`].
#[derive(Clone, Debug)]
#[must_use = "nothing is made before `build`"]
pub struct HttpBackendBuilder(Directions);

impl HttpBackend {
    /// The larder server at a URL that begins with `https://`, or for this machine with `http://`. Nothing is connected yet. Its sockets run on the
    /// tokio runtime that is current at this call, and end with that; without one, on a thread of its own.
    ///
    /// # Errors
    /// [`BackendUrlError`]: the URL is none, has a secret in it, or plain text would go over the network.
    pub fn new(url: impl Into<String>) -> Result<Arc<Self>, BackendUrlError> {
        Self::builder(url).build()
    }

    /// As [`new`](Self::new), with more to say.
    pub fn builder(url: impl Into<String>) -> HttpBackendBuilder {
        HttpBackendBuilder(Directions::to(url.into()))
    }

    fn ask(&self, ask: Ask) -> mpsc::Receiver<Result<Heard, BackendError>> {
        let (heard, told) = mpsc::channel(PAGES);
        let exchanges = Arc::clone(&self.exchanges);
        // Sockets want the runtime that they were made on; who asks may be on any.
        self.exchanges.runtime.spawn(async move { exchanges.ask(ask, heard).await });
        told
    }

    /// The id of a store's log, for a first push of somebody who has never pulled.
    async fn backend_id(&self, pull: Pull) -> Result<String, BackendError> {
        match page(&mut self.ask(Ask::First(pull))).await {
            Some(page) => Ok(page?.backend_id),
            None => Err(BackendError::Other("the server answers a pull with no page".into())),
        }
    }
}

/// The next page of a pull.
async fn page(heard: &mut mpsc::Receiver<Result<Heard, BackendError>>) -> Option<Result<PullPage, BackendError>> {
    match heard.recv().await? {
        Ok(Heard::Page { page, .. }) => Some(Ok(page)),
        Ok(Heard::PullEnded { error, .. }) => error.map(Err),
        Ok(Heard::Broken { reason }) => Some(Err(BackendError::Other(reason.into()))),
        Ok(Heard::Pushed { .. } | Heard::Pong) => {
            Some(Err(BackendError::Other("the server answers a pull as it does something else".into())))
        }
        Err(error) => Some(Err(error)),
    }
}

impl HttpBackendBuilder {
    /// It is a backend of LiveStore (`@livestore/sync-cf`), or another server of that wire, and not larder's: `sync_payload` is in the URL. Events have
    /// no ids there; own ones are known by what they say.
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

    /// Pushes a second that the server takes of a client, 50 if nothing else is said; a push may have 100 events. This stays a tenth below.
    /// Raise it with `pushes_per_second` of the server.
    pub fn pushes_per_second(mut self, pushes: u32) -> Self {
        self.0.allowance.pushes = pushes.max(1);
        self
    }

    /// Bytes a second that the server takes of a client, 5 MiB if nothing else is said. This stays a tenth below. Raise it with
    /// `bytes_per_second` of the server.
    pub fn bytes_per_second(mut self, bytes: u64) -> Self {
        self.0.allowance.bytes = bytes.max(1);
        self
    }

    /// The backend. Nothing is connected yet. Its sockets run where those of [`HttpBackend::new`] do.
    ///
    /// # Errors
    /// As of [`HttpBackend::new`], and [`BackendUrlError::Invalid`] for a certificate that is none.
    pub fn build(self) -> Result<Arc<HttpBackend>, BackendUrlError> {
        let allowance = self.0.allowance;
        let (door, runtime) = self.0.follow(Scheme::Http)?;
        let address = door.endpoint.address();
        Ok(Arc::new(HttpBackend { exchanges: Arc::new(Exchanges::new(door, runtime, allowance)), address }))
    }
}

impl SyncBackend for HttpBackend {
    fn identity(&self) -> &str {
        &self.address
    }

    fn supports(&self) -> BackendSupport {
        BackendSupport::default().event_ids(self.exchanges.door.peer == Peer::Larder).live_pull(false)
    }

    fn connected(&self) -> bool {
        *self.exchanges.reachable.borrow()
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        let mut reachable = self.exchanges.reachable.subscribe();
        Box::pin(async move {
            // The sender is gone with the backend.
            let _ = reachable.changed().await;
        })
    }

    fn connect(&self) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async {
            let (ready, known) = oneshot::channel();
            let exchanges = Arc::clone(&self.exchanges);
            self.exchanges.runtime.spawn(async move {
                // Whoever asked may be gone.
                let _ = ready.send(exchanges.knock().await);
            });
            let there = known.await.map_err(|_| shut_down())?;
            say(&self.exchanges.reachable, !matches!(there, Err(BackendError::Offline { .. })));
            there
        })
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        let begin = async move { Ok(self.ask(Ask::Pull(pull_of(request.live(false)).await?))) };
        let pages = stream::once(begin).flat_map(|begun: Result<_, BackendError>| match begun {
            Ok(heard) => {
                let next = |mut heard| async move { page(&mut heard).await.map(|page| (page, heard)) };
                stream::unfold(heard, next).left_stream()
            }
            Err(error) => stream::iter([Err(error)]).right_stream(),
        });
        Box::pin(pages)
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        Box::pin(async move {
            whole(&request)?;
            let (payload, sync_id) = (told(request.payload).await?, request.sync_id.to_owned());
            let backend_id = match request.backend_id {
                Some(known) => known.to_owned(),
                None => {
                    let (sync_id, payload) = (sync_id.clone(), payload.clone());
                    let pull = Pull { sync_id, after: request.expected_head, backend_id: None, live: false, payload };
                    self.backend_id(pull).await?
                }
            };
            let events = request.events.to_vec().into();
            let push = Push { sync_id: sync_id.into(), events, backend_id, payload };
            match self.ask(Ask::Push(push)).recv().await {
                Some(Ok(Heard::Pushed { answer, .. })) => answer,
                Some(Ok(Heard::Broken { reason })) => Err(BackendError::Other(reason.into())),
                Some(Ok(_)) => Err(BackendError::Other("the server answers a push as it does something else".into())),
                Some(Err(error)) => Err(error),
                None => Err(ended()),
            }
        })
    }
}

impl fmt::Debug for HttpBackend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.connected();
        formatter.debug_struct("HttpBackend").field("address", &self.address).field("connected", &connected).finish()
    }
}
