//! A backend's log that is another one than before, and what the store's file says of it.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use larder::{
    BackendError, BoxFuture, BoxStream, InitialSync, LocalBackend, OnBackendChange, PullPage, PullRequest, PushAnswer,
    PushRequest, StoreOptions, SyncBackend, SyncError, SyncPhase, prelude::*, testing::TestRegistry,
};
use larder_tests::{
    lab::copy_dir,
    notebook::{NoteEvent, Notebook, written},
};

use super::{
    clients::{Client, STORE, log, synced},
    flaky::{Flaky, Mishap},
};

#[tokio::test]
async fn another_log_that_was_as_good_is_the_store_s_own_from_the_next_confirmation_on() {
    let backend = LocalBackend::new("local");
    let client = Client::with(&backend, true, |options| options.on_backend_change(OnBackendChange::Ignore));
    let store = client.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    client.sync_once().await;
    backend.replace(STORE, backend.events(STORE));
    store.commit(written(2)).unwrap();
    client.sync_once().await;
    assert_eq!(log(&store), "e1 e2");
    drop(store);
    client.evict::<Notebook>(STORE).await.unwrap();
    let strict = StoreOptions::new().on_backend_change(OnBackendChange::Stop);
    let store = client.get::<Notebook>(STORE).options(strict).await.unwrap();
    store.commit(written(3)).unwrap();
    client.sync().await;
    let status = store.sync_status();
    assert_eq!((status.phase, log(&store).as_str()), (SyncPhase::Live, "e1 e2 e3"), "{:?}", status.last_error);
}

#[tokio::test]
async fn another_log_is_begun_anew_with_what_a_data_dir_committed_before_it_was_copied() {
    for (resend_own, in_log) in [(true, "e1r1 e2r1 e3r1"), (false, "e1r1 e2r1")] {
        let (backend, dir) = (LocalBackend::new("local"), tempfile::tempdir().unwrap());
        let begin = |data_dir: &str| {
            let options = synced(&backend).on_backend_change(OnBackendChange::Reset { resend_own });
            TestRegistry::build(StoreRegistry::builder().data_dir(dir.path().join(data_dir)).defaults(options)).unwrap()
        };
        let first = begin("first");
        let store = first.get::<Notebook>(STORE).await.unwrap();
        store.commit(written(1)).unwrap();
        first.advance(Duration::from_secs(40)).await;
        backend.set_connected(false);
        first.settle().await;
        store.commit([written(2), written(3)]).unwrap();
        assert_eq!(log(&store), "e1 | e2 e3");
        drop(store);
        first.evict::<Notebook>(STORE).await.unwrap();
        copy_dir(&dir.path().join("first"), &dir.path().join("copy"));
        backend.replace(STORE, Vec::new());
        let copy = begin("copy");
        let store = copy.get::<Notebook>(STORE).await.unwrap();
        backend.set_connected(true);
        copy.advance(Duration::from_secs(40)).await;
        assert_eq!((log(&store).as_str(), store.sync_status().phase), (in_log, SyncPhase::Live), "{resend_own}");
        assert_eq!(backend.events(STORE).len(), if resend_own { 3 } else { 2 });
    }
}

#[tokio::test]
async fn a_log_with_other_events_under_the_same_id_stops_sync_or_is_begun_anew_with() {
    for resets in [false, true] {
        let change = if resets { OnBackendChange::Reset { resend_own: true } } else { OnBackendChange::Stop };
        let flaky = Flaky::new(&[], &[]);
        let registry = flaky.registry(StoreOptions::new().on_backend_change(change));
        let store = registry.get::<Notebook>(STORE).await.unwrap();
        // What follows the last synced event is this client's alone, and no reason.
        store.commit([written(1), written(2), NoteEvent::LookedAt(2)]).unwrap();
        registry.advance(Duration::from_secs(60)).await;
        for _ in 0..3 {
            flaky.inner.set_connected(false);
            registry.settle().await;
            flaky.inner.set_connected(true);
            registry.advance(Duration::from_secs(60)).await;
            let status = store.sync_status();
            assert_eq!((status.phase, status.last_error), (SyncPhase::Live, None), "it is as it was");
        }
        flaky.inner.set_connected(false);
        registry.settle().await;
        flaky.pulls.lock().unwrap().push_back(Mishap::Rewritten);
        flaky.inner.set_connected(true);
        registry.settle().await;
        let status = store.sync_status();
        match resets {
            false => {
                let error = status.last_error.expect("an error");
                assert!(matches!(error, SyncError::BackendRolledBack { confirmed: 2, head: 1, .. }), "{error}");
                assert_eq!((status.phase, log(&store).as_str()), (SyncPhase::Stopped, "e1 e2 e2.1"));
            }
            true => {
                assert_eq!(status.confirmed.global(), 0, "it has begun anew");
                registry.advance(Duration::from_secs(60)).await;
                assert_eq!((store.sync_status().phase, store.sync_status().pending), (SyncPhase::Live, 0));
            }
        }
    }
}

/// A backend that never says that its log is another one: a disk that was set back has the same id.
struct SetBack(Arc<LocalBackend>);

const ID: &str = "the same log";

impl SyncBackend for SetBack {
    fn identity(&self) -> &str {
        self.0.identity()
    }

    fn connected(&self) -> bool {
        self.0.connected()
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        self.0.connection_changed()
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        let anonymous =
            PullRequest::new(request.sync_id, request.payload).after(request.after, None).live(request.live);
        let named = |mut page: PullPage| {
            page.backend_id = ID.to_owned();
            page
        };
        Box::pin(self.0.pull(anonymous).map(move |page| page.map(named)))
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        Box::pin(async move {
            Ok(match self.0.push(request.backend_id(None)).await? {
                PushAnswer::Accepted { .. } => PushAnswer::Accepted { backend_id: ID.to_owned() },
                answer => answer,
            })
        })
    }
}

impl SetBack {
    /// The log loses its second event, and another client has committed others since.
    async fn set_back(&self) {
        let mut events = self.0.events(STORE);
        events.truncate(1);
        self.0.replace(STORE, events);
        let other = Client::new(&self.0, false);
        let store = other.open::<Notebook>().await;
        store.commit([written(7), written(8)]).unwrap();
        other.sync_once().await;
        assert_eq!(self.0.events(STORE).len(), 3);
    }
}

#[tokio::test]
async fn a_log_that_is_another_one_since_a_store_was_closed_is_noticed_before_anything_is_taken_over_or_sent() {
    for sends in [false, true] {
        let backend = Arc::new(SetBack(LocalBackend::new("local")));
        let options = StoreOptions::new()
            .sync(Arc::clone(&backend) as Arc<dyn SyncBackend>)
            .initial_sync(InitialSync::Blocking { timeout: Duration::from_secs(60) });
        let dir = tempfile::tempdir().unwrap();
        let builder = StoreRegistry::builder().data_dir(dir.path()).defaults(options);
        let registry = TestRegistry::build(builder).unwrap();
        let store = registry.get::<Notebook>(STORE).await.unwrap();
        store.commit([written(1), written(2)]).unwrap();
        registry.advance(Duration::from_secs(60)).await;
        assert_eq!(log(&store), "e1 e2");
        backend.0.set_connected(false);
        registry.settle().await;
        if sends {
            store.commit(written(3)).unwrap();
        }
        drop(store);
        registry.evict::<Notebook>(STORE).await.unwrap();
        backend.set_back().await;
        backend.0.set_connected(true);
        if sends {
            registry.advance(Duration::from_secs(60)).await;
            assert_eq!(backend.0.events(STORE).len(), 3, "nothing is sent to another log");
        }
        let store = registry.get::<Notebook>(STORE).await.unwrap();
        registry.advance(Duration::from_secs(60)).await;
        let error = store.sync_status().last_error;
        assert!(matches!(error, Some(SyncError::BackendRolledBack { confirmed: 2, .. })), "{error:?}");
        assert_eq!(log(&store), if sends { "e1 e2 | e3" } else { "e1 e2" });
    }
}
