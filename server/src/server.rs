//! A running server: the listener, its connections, and their end.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{
    auth::Authorize,
    connection::Rates,
    doors::{Shared, router},
    hub::Hub,
    metrics::{Count, Gauge, Metrics},
    settings::Settings,
    storage::Storage,
};

/// How long an idle connection of HTTP may stay for its next request.
const NEXT_REQUEST: Duration = Duration::from_secs(30);

/// One connection of the network, as its requests see it.
pub(crate) struct Guest {
    pub(crate) number: u64,
    pub(crate) opened: Instant,
    rates: Mutex<Option<Rates>>,
    /// Whether a request has arrived.
    asked: AtomicBool,
    _place: OwnedSemaphorePermit,
}

impl Guest {
    /// What its requests over HTTP have used up.
    pub(crate) fn rates(&self) -> MutexGuard<'_, Option<Rates>> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    listening: JoinHandle<()>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on: {error}")]
    Listen {
        /// Which address.
        address: String,
        /// Why not.
        error: std::io::Error,
    },
}

impl Server {
    /// Listens on an address and serves the storage's logs, on the runtime that this is called on. Port 0 is any free one.
    ///
    /// # Errors
    /// [`StartError`]: the address cannot be listened on.
    pub async fn start(
        settings: Settings,
        storage: Arc<dyn Storage>,
        authorize: Arc<dyn Authorize>,
        listen: &str,
    ) -> Result<Self, StartError> {
        let refused = |error| StartError::Listen { address: listen.to_owned(), error };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let places = Arc::new(Semaphore::new(settings.connections.min(Semaphore::MAX_PERMITS)));
        let shared = Arc::new(Shared {
            hub: Hub::new(storage, Arc::new(Metrics::default())),
            authorize,
            settings,
            stopping: CancellationToken::new(),
            started: Instant::now(),
        });
        let listening = tokio::spawn(listen_on(listener, shared.clone(), places.clone()));
        tracing::info!(%address, "listening");
        Ok(Self { address, shared, places, listening })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How long it has been running.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.shared.started.elapsed()
    }

    /// Takes nothing new, ends what is in progress, says goodbye to every socket and closes the storage. What does not end within
    /// [`Settings::shutdown`] is left.
    pub async fn stop(self) {
        tracing::info!("stopping");
        self.shared.stopping.cancel();
        let all = self.shared.settings.connections.min(Semaphore::MAX_PERMITS);
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        let ended = tokio::time::timeout(self.shared.settings.shutdown, self.places.acquire_many(all)).await;
        if ended.is_err() {
            tracing::warn!("some connections did not end in time");
        }
        self.listening.abort();
        self.shared.hub.storage().close().await;
        tracing::info!("stopped");
    }
}

impl Drop for Server {
    /// Takes nothing new and says goodbye, as [`stop`](Server::stop) does, without waiting for it.
    fn drop(&mut self) {
        self.shared.stopping.cancel();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn listen_on(listener: TcpListener, shared: Arc<Shared>, places: Arc<Semaphore>) {
    let router = router(shared.clone());
    let numbers = AtomicU64::new(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stopping.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, say: it passes, and trying at once does not help.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            shared.hub.metrics.count(Count::ConnectionRefused);
            continue;
        };
        let guest = Guest {
            number: numbers.fetch_add(1, Ordering::Relaxed),
            opened: Instant::now(),
            rates: Mutex::new(None),
            asked: AtomicBool::new(false),
            _place: place,
        };
        tokio::spawn(serve(stream, Arc::new(guest), router.clone(), shared.clone()));
    }
}

async fn serve(stream: TcpStream, guest: Arc<Guest>, router: Router, shared: Arc<Shared>) {
    // Small frames at once; it matters on a wire that is asked and answers.
    let _ = stream.set_nodelay(true);
    let metrics = shared.hub.metrics.clone();
    let _open = metrics.lasting(Gauge::Connections);
    let asked = guest.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        guest.asked.store(true, Ordering::Release);
        request.extensions_mut().insert(guest.clone());
        router.clone().oneshot(request.map(Body::new))
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(NEXT_REQUEST).max_buf_size(64 * 1024);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    let first = tokio::time::sleep(shared.settings.unauthenticated);
    tokio::pin!(first);
    let (mut waited, mut stopping) = (false, false);
    loop {
        tokio::select! {
            // How it ended is its own affair: the other side has gone, or did not speak HTTP.
            _ = connection.as_mut() => return,
            () = first.as_mut(), if !waited => {
                waited = true;
                if !asked.asked.load(Ordering::Acquire) {
                    return;
                }
            }
            () = shared.stopping.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
