//! What a backend wants to be told with the next pull is kept with the events.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt};
use larder::{
    BackendError, BoxFuture, BoxStream, LocalBackend, OnBackendChange, PullPage, PullRequest, PushAnswer, PushRequest,
    StoreOptions, SyncBackend, SyncPhase, prelude::*, testing::TestRegistry,
};
use larder_tests::notebook::{Notebook, written};

use super::clients::{STORE, log, push_foreign};

/// A backend whose storage has places of its own: behind each page it names the one that the next pull is to begin at.
struct Placed {
    inner: Arc<LocalBackend>,
    /// What each pull told.
    told: Mutex<Vec<Option<String>>>,
    /// Bytes that are put behind each place.
    padding: usize,
}

impl Placed {
    fn new(padding: usize) -> Arc<Self> {
        Arc::new(Self { inner: LocalBackend::new("placed"), told: Mutex::default(), padding })
    }

    fn registry(self: &Arc<Self>, dir: &Path, change: OnBackendChange) -> TestRegistry {
        let options = StoreOptions::new().sync(Arc::clone(self) as Arc<dyn SyncBackend>).on_backend_change(change);
        TestRegistry::build(StoreRegistry::builder().data_dir(dir).defaults(options)).unwrap()
    }

    fn told(&self) -> String {
        let told = self.told.lock().unwrap();
        told.iter().map(|told| told.as_deref().unwrap_or("nothing")).collect::<Vec<_>>().join(" ")
    }
}

impl SyncBackend for Placed {
    fn identity(&self) -> &str {
        self.inner.identity()
    }

    fn connected(&self) -> bool {
        self.inner.connected()
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        self.inner.connection_changed()
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        self.told.lock().unwrap().push(request.metadata.map(str::to_owned));
        Box::pin(self.inner.pull(request).map(|page| {
            page.map(|page| {
                let place = page.events.last().map(|last| format!("at-{}{}", last.number, " ".repeat(self.padding)));
                page.metadata(place)
            })
        }))
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        self.inner.push(request)
    }
}

#[tokio::test]
async fn what_a_page_says_is_told_by_the_next_pull_also_of_another_process() {
    let (dir, placed) = (tempfile::tempdir().unwrap(), Placed::new(0));
    push_foreign(&placed.inner, &[written(10), written(11)]).await;
    let registry = placed.registry(dir.path(), OnBackendChange::Stop);
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    placed.inner.set_connected(false);
    registry.settle().await;
    push_foreign(&placed.inner.another(), &[written(12)]).await;
    // A rebase takes the page over.
    store.commit(written(1)).unwrap();
    placed.inner.set_connected(true);
    registry.settle().await;
    assert_eq!(log(&store), "e1 e2 e3 e4r1");
    assert_eq!(placed.told(), "nothing at-e2");
    drop(store);
    registry.shutdown(Duration::ZERO).await;
    let registry = placed.registry(dir.path(), OnBackendChange::Stop);
    let _store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    // What the own push brought came by no page that was taken over.
    assert_eq!(placed.told(), "nothing at-e2 at-e3");
}

#[tokio::test]
async fn what_a_log_wanted_to_be_told_is_not_told_to_another_one() {
    let (dir, placed) = (tempfile::tempdir().unwrap(), Placed::new(0));
    push_foreign(&placed.inner, &[written(10)]).await;
    let registry = placed.registry(dir.path(), OnBackendChange::Reset { resend_own: true });
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    placed.inner.set_connected(false);
    registry.settle().await;
    placed.inner.replace(STORE, Vec::new());
    placed.inner.set_connected(true);
    for _ in 0..3 {
        registry.advance(Duration::from_secs(60)).await;
    }
    assert_eq!((store.sync_status().phase, log(&store).as_str()), (SyncPhase::Live, ""));
    assert_eq!(placed.told(), "nothing at-e1 nothing");
    drop(store);
    registry.shutdown(Duration::ZERO).await;
    let registry = placed.registry(dir.path(), OnBackendChange::Stop);
    let _store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    assert_eq!(placed.told(), "nothing at-e1 nothing nothing");
}

#[tokio::test]
async fn metadata_of_more_than_4_kib_is_an_error_that_says_so_and_nothing_is_taken_over() {
    let (dir, placed) = (tempfile::tempdir().unwrap(), Placed::new(4_096));
    push_foreign(&placed.inner, &[written(10)]).await;
    let registry = placed.registry(dir.path(), OnBackendChange::Stop);
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    let status = store.sync_status();
    let error = status.last_error.expect("an error").to_string();
    assert!(error.contains("4101 bytes") && error.contains("4096"), "{error}");
    assert_eq!((status.phase, log(&store).as_str()), (SyncPhase::Failing, ""));
    assert!(store.watch_sync().next().now_or_never().flatten().is_some());
}
