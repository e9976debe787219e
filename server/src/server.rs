//! A running server: the listener, its connections, and their end.

pub(crate) mod impatient;

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use self::impatient::{Impatient, Traffic};
use crate::{
    auth::Authorize,
    connection::Rates,
    doors::{Shared, router},
    hub::Hub,
    metrics::{Count, Gauge, Metrics},
    settings::{Settings, SettingsError},
    storage::Storage,
};

/// How long an idle connection of HTTP may stay for its next request.
const NEXT_REQUEST: Duration = Duration::from_secs(30);

/// How long a connection on which nothing was permitted may still take for the answer that says so.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// One connection of the network, as its requests see it.
pub(crate) struct Guest {
    pub(crate) number: u64,
    pub(crate) opened: Instant,
    pub(crate) traffic: Arc<Traffic>,
    rates: Mutex<Option<Rates>>,
    /// Whether a request has arrived.
    asked: AtomicBool,
    /// Whether anything was permitted on it.
    known: AtomicBool,
    _place: OwnedSemaphorePermit,
}

impl Guest {
    /// Something was permitted: it may stay.
    pub(crate) fn let_stay(&self) {
        self.known.store(true, Ordering::Release);
    }

    pub(crate) fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }

    /// From when on what it begins now is timed: somebody unknown has no more time than the connection.
    pub(crate) fn since(&self) -> Instant {
        if self.is_known() { Instant::now() } else { self.opened }
    }

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
    /// A setting leaves nobody anything.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl Server {
    /// Listens on an address and serves the storage's logs, on the runtime that this is called on. Port 0 is any free one.
    ///
    /// # Errors
    /// [`StartError`]: the address cannot be listened on, or a setting leaves nobody anything.
    pub async fn start(
        settings: Settings,
        storage: Arc<dyn Storage>,
        authorize: Arc<dyn Authorize>,
        listen: &str,
    ) -> Result<Self, StartError> {
        settings.check()?;
        let refused = |error| StartError::Listen { address: listen.to_owned(), error };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let places = Arc::new(Semaphore::new(connections(&settings) as usize));
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
        let all = self.places.acquire_many(connections(&self.shared.settings));
        let ended = tokio::time::timeout(self.shared.settings.shutdown, all).await;
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

/// Connections at once: as many as can be waited for together, and no more than a semaphore has on a small machine.
fn connections(settings: &Settings) -> u32 {
    let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
    u32::try_from(settings.connections).unwrap_or(most).min(most)
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
                sleep(Duration::from_millis(100)).await;
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
            traffic: Arc::default(),
            rates: Mutex::new(None),
            asked: AtomicBool::new(false),
            known: AtomicBool::new(false),
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
    let (visitor, traffic) = (guest.clone(), guest.traffic.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        guest.asked.store(true, Ordering::Release);
        request.extensions_mut().insert(guest.clone());
        router.clone().oneshot(request.map(Body::new))
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(NEXT_REQUEST).max_buf_size(64 * 1024);
    let connection = builder.serve_connection(TokioIo::new(Impatient::new(stream, traffic)), service).with_upgrades();
    tokio::pin!(connection);
    let unauthenticated = shared.settings.unauthenticated;
    let (first, last) = (sleep(unauthenticated), sleep(unauthenticated.saturating_add(LAST_WORDS)));
    tokio::pin!(first, last);
    let (mut stopping, mut known) = (false, false);
    loop {
        tokio::select! {
            // How it ended is its own affair: the other side has gone, or did not speak HTTP.
            _ = connection.as_mut() => return,
            () = first.as_mut(), if !known && !first.is_elapsed() => {
                known = visitor.is_known();
                if !visitor.asked.load(Ordering::Acquire) {
                    return;
                }
                if !known {
                    // It ends after the answer that is being given.
                    connection.as_mut().graceful_shutdown();
                }
            }
            () = last.as_mut(), if !known => {
                known = visitor.is_known();
                if !known {
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
