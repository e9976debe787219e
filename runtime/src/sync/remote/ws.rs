//! A sync server that is reached by WebSockets.

mod pulling;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::stream;
use larder_wire::{Limits, Payload as WirePayload, Peer, Transport};
use tokio::sync::{oneshot, watch};

use self::pulling::Pulling;
use super::{
    asking::{ended, say, told, whole},
    connect::OneStore,
    door::{Directions, Door},
    endpoint::{BackendUrlError, Scheme},
    frames::{Full, Push, Writer},
    link::{Command, Link},
    pace::Allowance,
    seats::{CONNECTIONS, Seat, Seats, TooManyStores},
};
use crate::{
    clock::Runtime,
    definition::BoxFuture,
    sync::{BackendError, BackendSupport, BoxStream, PullPage, PullRequest, PushAnswer, PushRequest, SyncBackend},
};

/// A sync server that is reached by WebSockets: larder's own, or one of LiveStore.
///
/// All stores of all registries that share this share one connection to a larder server, which is opened when the first of them syncs, and further
/// ones for each 256 stores more, 8 in all. `sync_payload` goes with each request, never into the URL. A backend of LiveStore takes one store a connection, and the payload in the
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
    allowance: Allowance,
    links: Mutex<HashMap<Place, Slot>>,
    seats: Seats,
    requests: AtomicU64,
    /// Whether the server is there, as far as the last connection says: it could be opened, and did not break, or somebody answers all the same.
    reachable: watch::Sender<bool>,
}

/// Which connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// One that many stores share: the first, or a further one.
    Shared(usize),
    /// A store's own.
    Of(String),
}

/// A connection that is opened by one at a time.
type Slot = Arc<tokio::sync::Mutex<Option<Link>>>;

/// How a [`WsBackend`] is reached, from [`WsBackend::builder`].
#[derive(Clone, Debug)]
#[must_use = "nothing is made before `build`"]
pub struct WsBackendBuilder {
    directions: Directions,
    stores_per_connection: usize,
}

impl WsBackend {
    /// The larder server at a URL that begins with `wss://`, or for this machine with `ws://`. Nothing is connected yet. Its sockets run on the tokio
    /// runtime that is current at this call, and end with that; without one, on a thread of its own.
    ///
    /// # Errors
    /// [`BackendUrlError`]: the URL is none, has a secret in it, or plain text would go over the network.
    pub fn new(url: impl Into<String>) -> Result<Arc<Self>, BackendUrlError> {
        Self::builder(url).build()
    }

    /// As [`new`](Self::new), with more to say.
    pub fn builder(url: impl Into<String>) -> WsBackendBuilder {
        let stores_per_connection = Limits::STORES_PER_CONNECTION;
        WsBackendBuilder { directions: Directions::to(url.into()), stores_per_connection }
    }

    /// A connection, opened if it is not open.
    async fn link(&self, place: Place, payload: Option<&WirePayload>) -> Result<Link, BackendError> {
        let one_store = match &place {
            Place::Shared(_) => None,
            Place::Of(sync_id) => Some(OneStore { sync_id: sync_id.clone(), payload: payload.cloned() }),
        };
        // A further one that cannot be opened says of the server no more than that it takes no more of them.
        let reachable = (!matches!(place, Place::Shared(1..))).then(|| self.reachable.clone());
        let slot = {
            let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
            // Those of stores that nobody syncs any more. Who opens one has it, too.
            let is_open =
                |link: &Slot| link.try_lock().is_ok_and(|link| link.as_ref().is_some_and(|link| !link.is_over()));
            links.retain(|_, link| Arc::strong_count(link) > 1 || is_open(link));
            Arc::clone(links.entry(place).or_default())
        };
        let mut link = slot.lock().await;
        if let Some(open) = link.as_ref().filter(|open| !open.is_over()) {
            return Ok(open.clone());
        }
        let opened = Link::open(&self.runtime, self.door.clone(), one_store, self.allowance, reachable).await?;
        Ok(link.insert(opened).clone())
    }

    /// A place for a request of a store, on a connection from this one on.
    async fn place(
        &self,
        sync_id: &str,
        payload: Option<&WirePayload>,
        from: usize,
    ) -> Result<(Link, Option<Seat>), BackendError> {
        if self.door.peer == Peer::TypeScript {
            return Ok((self.link(Place::Of(sync_id.to_owned()), payload).await?, None));
        }
        let seat = self.seats.take(sync_id, from).map_err(|stores| {
            let (store, address) = (sync_id.to_owned(), self.address.clone());
            BackendError::Other(TooManyStores { store, stores, connections: CONNECTIONS, address }.into())
        })?;
        Ok((self.link(Place::Shared(seat.row), None).await?, Some(seat)))
    }

    /// Whether the server has refused a request because the connection has as many stores as it takes.
    fn is_full(&self, error: &BackendError) -> bool {
        let BackendError::Other(error) = error else { return false };
        let full = error.downcast_ref::<Full>();
        full.inspect(|full| self.seats.lower(full.stores)).is_some() && self.door.peer == Peer::Larder
    }

    fn writer(&self) -> Writer {
        Writer { peer: self.door.peer, transport: Transport::WebSocket }
    }

    fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// The id of a store's log, for a first push of somebody who has never pulled.
    async fn backend_id(&self, request: &PushRequest<'_>) -> Result<String, BackendError> {
        let pull = PullRequest::new(request.sync_id, request.payload).after(request.expected_head, None);
        match Pulling::new(self, pull).next().await {
            Some(page) => Ok(page?.backend_id),
            None => Err(BackendError::Other("the server answers a pull with no page".into())),
        }
    }

    /// On a connection on which nobody has been let in, a pull goes before a push: a large first message may be longer on its way than a server
    /// waits for somebody unknown. If the log has grown, that is the answer.
    async fn introduce(&self, request: &PushRequest<'_>) -> Result<Option<PushAnswer>, BackendError> {
        let pull = PullRequest::new(request.sync_id, request.payload).after(request.expected_head, request.backend_id);
        match Pulling::new(self, pull).next().await {
            Some(Ok(PullPage { events, head, .. })) => Ok(events.last().map(|last| {
                let last = last.number.global();
                PushAnswer::Ahead { head: head.unwrap_or(last).max(last) }
            })),
            Some(Err(error @ BackendError::Offline { .. })) => Err(error),
            // What it says of a pull it need not say of a push.
            _ => Ok(None),
        }
    }

    /// Pushes on a connection from this one on; which it was, with the answer.
    async fn push_on(
        &self,
        request: &PushRequest<'_>,
        backend_id: &str,
        from: usize,
    ) -> Result<(Option<usize>, Result<PushAnswer, BackendError>), BackendError> {
        let payload = told(request.payload).await?;
        let (link, seat) = self.place(request.sync_id, payload.as_ref(), from).await?;
        let is_stranger = self.door.peer == Peer::Larder && !link.is_known();
        if is_stranger && let Some(answer) = self.introduce(request).await? {
            return Ok((None, Ok(answer)));
        }
        let (row, id, backend_id) = (seat.as_ref().map(|seat| seat.row), self.next_request(), backend_id.to_owned());
        let (sync_id, events) = (request.sync_id.into(), request.events.into());
        let push = Push { sync_id, events, backend_id: backend_id.clone(), payload };
        let writer = self.writer();
        let passed = link.passed(async |gate| gate.push(|| writer.push(id, push)).await);
        let (text, turn) = passed.await.ok_or_else(ended)??;
        let (answer, answered) = oneshot::channel();
        let command = Command::Push { id, text, backend_id, answer, turn, seat };
        link.commands.send(command).await.map_err(|_| ended())?;
        Ok((row, answered.await.map_err(|_| ended())?))
    }
}

impl WsBackendBuilder {
    /// It is a backend of LiveStore (`@livestore/sync-cf`), or another server of that wire, and not larder's: each store has a connection of
    /// its own, and `sync_payload` is in its URL, and in each request as it stands then. Events have no ids there; own ones are known by what they say.
    pub fn of_livestore(mut self) -> Self {
        self.directions.livestore = true;
        self
    }

    /// Events and tokens may go over the network in plain text: where the network itself is trusted.
    pub fn in_plain_text(mut self) -> Self {
        self.directions.plain_text = true;
        self
    }

    /// Trusts a certificate beside those that browsers trust, in DER: of an authority of your own.
    pub fn trusting(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        self.directions.trusted.push(certificate.into());
        self
    }

    /// Stores that the server takes of one connection, 256 if nothing else is said. For more there are further connections, 8 in all. A server
    /// that takes fewer says so. Raise it with `stores_per_connection` of the server.
    pub fn stores_per_connection(mut self, stores: usize) -> Self {
        self.stores_per_connection = stores.max(1);
        self
    }

    /// Pushes a second that the server takes of one connection, 50 if nothing else is said; a push may have 100 events. This stays a tenth below.
    /// Raise it with `pushes_per_second` of the server.
    pub fn pushes_per_second(mut self, pushes: u32) -> Self {
        self.directions.allowance.pushes = pushes.max(1);
        self
    }

    /// Bytes a second that the server takes of one connection, 5 MiB if nothing else is said. This stays a tenth below. Raise it with
    /// `bytes_per_second` of the server.
    pub fn bytes_per_second(mut self, bytes: u64) -> Self {
        self.directions.allowance.bytes = bytes.max(1);
        self
    }

    /// The backend. Nothing is connected yet. Its sockets run where those of [`WsBackend::new`] do.
    ///
    /// # Errors
    /// As of [`WsBackend::new`], and [`BackendUrlError::Invalid`] for a certificate that is none.
    pub fn build(self) -> Result<Arc<WsBackend>, BackendUrlError> {
        let allowance = self.directions.allowance;
        let (door, runtime) = self.directions.follow(Scheme::WebSocket)?;
        Ok(Arc::new(WsBackend {
            address: door.endpoint.address(),
            door,
            runtime,
            allowance,
            links: Mutex::default(),
            seats: Seats::new(self.stores_per_connection),
            requests: AtomicU64::new(0),
            reachable: watch::Sender::new(true),
        }))
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
                Peer::Larder => drop(self.link(Place::Shared(0), None).await?),
                // Which store is asked for is not known here: the next one that syncs tries.
                Peer::TypeScript => Link::probe(&self.runtime, self.door.clone()).await?,
            }
            // An earlier connection may have said otherwise after this one was opened.
            say(&self.reachable, true);
            Ok(())
        })
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        let next = |mut pulling: Pulling<'a>| async move { pulling.next().await.map(|page| (page, pulling)) };
        Box::pin(stream::unfold(Pulling::new(self, request), next))
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        Box::pin(async move {
            whole(&request)?;
            let backend_id = match request.backend_id {
                Some(known) => known.to_owned(),
                None => self.backend_id(&request).await?,
            };
            let mut from = 0;
            loop {
                match self.push_on(&request, &backend_id, from).await? {
                    (Some(row), Err(error)) if self.is_full(&error) => from = row + 1,
                    (_, answer) => return answer,
                }
            }
        })
    }
}

impl fmt::Debug for WsBackend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.connected();
        formatter.debug_struct("WsBackend").field("address", &self.address).field("connected", &connected).finish()
    }
}
