//! Backends that larder brings are as backends are to be.

use std::sync::Arc;

use futures_util::StreamExt;
use larder::{BackendError, LocalBackend, Payload, PullRequest, SyncBackend, testing::sync_backend_conforms};

#[tokio::test]
async fn the_backend_in_memory_is_as_backends_are_to_be() {
    let backend = LocalBackend::new("local");
    let other = backend.another();
    sync_backend_conforms([backend as Arc<_>, other]).await;
}

#[tokio::test]
async fn a_live_pull_ends_when_another_log_takes_the_place_of_its_own() {
    let backend = LocalBackend::new("local");
    let payload = Payload::new();
    let mut pull = backend.pull(PullRequest::new("s", &payload).live(true));
    let first = pull.next().await.unwrap().unwrap();
    backend.replace("s", Vec::new());
    let ended = pull.next().await.unwrap().unwrap_err();
    assert!(matches!(&ended, BackendError::OtherBackend { backend_id } if *backend_id != first.backend_id), "{ended}");
    assert!(pull.next().await.is_none());
}
