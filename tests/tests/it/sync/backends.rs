//! Backends that larder brings are as backends are to be.

use std::sync::Arc;

use futures_util::StreamExt;
use larder::{
    BackendError, ClientId, EventNumber, LocalBackend, Payload, PullRequest, PushRequest, SessionId, StoredEvent,
    SyncBackend, testing::sync_backend_conforms,
};

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

#[test]
fn a_batch_that_does_not_follow_the_head_says_where_whatever_the_head_is() {
    let payload = Payload::new();
    let event = |global| StoredEvent {
        number: EventNumber::synced(global),
        name: "v1.Noted".to_owned(),
        args: None,
        client_id: ClientId::from("c"),
        session_id: SessionId::from("s"),
        id: None,
    };
    for (head, numbers, gap) in
        [(0, vec![1, 2, 3], None), (4, vec![5, 7], Some(7)), (4, vec![4], Some(4)), (u64::MAX, vec![1], Some(1))]
    {
        let events: Vec<_> = numbers.into_iter().map(event).collect();
        let found = PushRequest::new("s", head, &events, &payload).gap();
        assert_eq!(found.map(EventNumber::global), gap, "behind {head}");
    }
}
