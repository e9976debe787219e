//! However much is pending on disk, a push holds little of it, and there is one at a time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use larder::{
    BackendError, BackendSupport, BoxFuture, BoxStream, LocalBackend, PullPage, PullRequest, PushAnswer, PushRequest,
    StoreOptions, SyncBackend, prelude::*, testing::TestRegistry,
};
use larder_tests::notebook::{NoteEvent, Notebook, written};

use super::clients::STORE;

/// Most bytes of arguments in a push of several events.
const MOST_BYTES: usize = 900_000;

/// A backend that notes how much it was given at once.
struct Scale {
    inner: Arc<LocalBackend>,
    pushes: AtomicUsize,
    running: AtomicUsize,
    most_running: AtomicUsize,
    most_events: AtomicUsize,
    most_bytes: AtomicUsize,
}

impl Scale {
    fn new() -> Arc<Self> {
        let inner = LocalBackend::new("local");
        inner.set_connected(false);
        let [pushes, running, most_running, most_events, most_bytes] = Default::default();
        Arc::new(Self { inner, pushes, running, most_running, most_events, most_bytes })
    }

    fn registry(self: &Arc<Self>, data_dir: &std::path::Path) -> TestRegistry {
        let options = StoreOptions::new().sync(Arc::clone(self) as Arc<dyn SyncBackend>);
        TestRegistry::build(StoreRegistry::builder().data_dir(data_dir).defaults(options)).unwrap()
    }

    /// Pushes, most of them at once, most events in one, and most bytes in one.
    fn noted(&self) -> [usize; 4] {
        [&self.pushes, &self.most_running, &self.most_events, &self.most_bytes].map(|it| it.load(Ordering::Relaxed))
    }
}

impl SyncBackend for Scale {
    fn identity(&self) -> &str {
        self.inner.identity()
    }

    fn supports(&self) -> BackendSupport {
        self.inner.supports()
    }

    fn connected(&self) -> bool {
        self.inner.connected()
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        self.inner.connection_changed()
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        self.inner.pull(request)
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        Box::pin(async move {
            let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
            let bytes = request.events.iter().filter_map(|event| event.args.as_ref()).map(String::len).sum();
            self.pushes.fetch_add(1, Ordering::Relaxed);
            self.most_running.fetch_max(running, Ordering::Relaxed);
            self.most_events.fetch_max(request.events.len(), Ordering::Relaxed);
            self.most_bytes.fetch_max(bytes, Ordering::Relaxed);
            // Whoever pushes beside this one comes in between.
            tokio::task::yield_now().await;
            let answer = self.inner.push(request).await;
            self.running.fetch_sub(1, Ordering::Relaxed);
            answer
        })
    }
}

#[tokio::test]
async fn a_hundred_thousand_pending_events_go_a_hundred_at_a_time_one_push_after_the_other() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Scale::new());
    let registry = backend.registry(dir.path());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    for thousand in 0..100 {
        store.commit((0..1_000).map(|number| written(1_000 * thousand + number)).collect::<Vec<_>>()).unwrap();
    }
    assert_eq!(store.sync_status().pending, 100_000);
    backend.inner.set_connected(true);
    registry.settle().await;
    assert_eq!(store.sync_status().pending, 0);
    assert_eq!(backend.inner.events(STORE).len(), 100_000);
    let [pushes, at_once, events, bytes] = backend.noted();
    assert_eq!((pushes, at_once, events), (1_000, 1, 100));
    assert!(bytes <= MOST_BYTES, "{bytes} bytes");
}

#[tokio::test]
async fn large_events_go_in_pushes_of_at_most_900_kb() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Scale::new());
    let registry = backend.registry(dir.path());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    for number in 0..20 {
        store.commit(NoteEvent::Written { number, text: "x".repeat(200_000) }).unwrap();
    }
    backend.inner.set_connected(true);
    registry.settle().await;
    assert_eq!((store.sync_status().pending, backend.inner.events(STORE).len()), (0, 20));
    let [pushes, at_once, events, bytes] = backend.noted();
    assert_eq!((pushes, at_once, events), (5, 1, 4));
    assert!((800_000..=MOST_BYTES).contains(&bytes), "{bytes} bytes");
}
