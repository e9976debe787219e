//! A server that is there for a moment, and gone when it is asked for anything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::stream;
use larder::{
    BackendError, BackendSupport, BoxFuture, BoxStream, PullPage, PullRequest, PushAnswer, PushRequest, StoreOptions,
    SyncBackend, SyncError, SyncPhase, prelude::*, testing::TestRegistry,
};
use larder_tests::notebook::{Notebook, written};
use tokio::sync::watch;

use super::clients::STORE;

/// Attempts in a minute beyond which nobody waits any more.
const FAR_TOO_MANY: usize = 1_000;

/// A gateway that takes every connection, with nobody behind it.
struct Gateway {
    /// It takes none.
    is_away: bool,
    connected: watch::Sender<bool>,
    attempts: AtomicUsize,
}

impl Gateway {
    fn new(is_away: bool) -> Arc<Self> {
        Arc::new(Self { is_away, connected: watch::channel(false).0, attempts: AtomicUsize::new(0) })
    }

    fn registry(self: &Arc<Self>) -> TestRegistry {
        let options = StoreOptions::new().sync(Arc::clone(self) as Arc<dyn SyncBackend>);
        TestRegistry::build(StoreRegistry::builder().in_memory().defaults(options)).unwrap()
    }

    fn gone(&self) -> BackendError {
        self.connected.send_replace(false);
        BackendError::Offline { reason: "nobody is behind the gateway".to_owned() }
    }
}

impl SyncBackend for Gateway {
    fn identity(&self) -> &str {
        "gateway"
    }

    fn supports(&self) -> BackendSupport {
        BackendSupport::default()
    }

    fn connected(&self) -> bool {
        *self.connected.borrow()
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        let mut connected = self.connected.subscribe();
        Box::pin(async move { connected.changed().await.unwrap_or_default() })
    }

    fn connect(&self) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async {
            if self.attempts.fetch_add(1, Ordering::Relaxed) > FAR_TOO_MANY {
                std::future::pending::<()>().await;
            }
            if self.is_away {
                return Err(BackendError::Offline { reason: "no such host".to_owned() });
            }
            self.connected.send_replace(true);
            Ok(())
        })
    }

    fn pull<'a>(&'a self, _: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        Box::pin(stream::once(async { Err(self.gone()) }))
    }

    fn push<'a>(&'a self, _: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        Box::pin(async { Err(self.gone()) })
    }
}

#[tokio::test]
async fn a_connection_that_does_not_last_is_tried_ever_less_often() {
    let gateway = Gateway::new(false);
    let registry = gateway.registry();
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    store.commit(written(1)).unwrap();
    registry.settle().await;
    assert_eq!(gateway.attempts.load(Ordering::Relaxed), 1);
    registry.advance(Duration::from_secs(120)).await;
    let attempts = gateway.attempts.load(Ordering::Relaxed);
    // Pauses of 2, 4, 8, 16 s and then 30 s, or half of that.
    assert!((6..=12).contains(&attempts), "{attempts} attempts");
    assert_eq!(store.sync_status().pending, 1);
}

#[tokio::test]
async fn the_status_of_a_store_whose_backend_cannot_be_reached_says_why() {
    let registry = Gateway::new(true).registry();
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    store.commit(written(1)).unwrap();
    registry.advance(Duration::from_secs(2)).await;
    let status = store.sync_status();
    let Some(SyncError::Offline { reason, .. }) = &status.last_error else { panic!("{status:?}") };
    assert_eq!((reason.as_str(), status.phase, status.connected()), ("no such host", SyncPhase::Offline, false));
    // One that is loaded before the next try knows it, too.
    let other = registry.get::<Notebook>("book:2").await.unwrap();
    assert_eq!(other.sync_status().last_error.map(|error| error.to_string().contains("no such host")), Some(true));
}
