//! A backend whose answers get lost, that is wrong, or that is another one.

use std::sync::{Arc, Mutex};

use larder::{
    BackendSupport, OnBackendChange, Payload, StoreOptions, StoredEvent, SyncError, SyncPhase, testing::TestRegistry,
};
use larder_tests::notebook::{Note, Notebook, written};

use super::{
    clients::{STORE, log, push_foreign},
    flaky::{Flaky, Mishap},
};

async fn minute(registry: &TestRegistry) {
    registry.advance(std::time::Duration::from_secs(60)).await;
}

#[tokio::test]
async fn events_whose_answer_was_lost_are_known_when_they_come_back_and_are_there_once() {
    for event_ids in [true, false] {
        let support = BackendSupport::default().event_ids(event_ids);
        let flaky = Flaky::with(&[Mishap::AnswerLost, Mishap::AnswerLost], &[], support);
        let registry = flaky.registry(StoreOptions::new());
        let store = registry.get::<Notebook>(STORE).await.unwrap();
        let receipt = store.commit([written(1), written(2)]).unwrap();
        minute(&registry).await;
        receipt.confirmed().await.unwrap();
        assert_eq!((log(&store).as_str(), flaky.inner.events(STORE).len()), ("e1 e2", 2));
    }
}

#[tokio::test]
async fn a_push_that_is_never_answered_holds_nothing_up_when_its_events_have_come_back() {
    let flaky = Flaky::new(&[Mishap::NoAnswer], &[]);
    let registry = flaky.registry(StoreOptions::new());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    let receipt = store.commit([written(1), written(2)]).unwrap();
    registry.settle().await;
    receipt.confirmed().await.unwrap();
    let later = store.commit(written(3)).unwrap();
    minute(&registry).await;
    assert_eq!((log(&store).as_str(), store.sync_status().pending), ("e1 e2 e3", 0), "{:?}", store.sync_status());
    later.confirmed().await.unwrap();
    assert_eq!((flaky.inner.events(STORE).len(), flaky.requests().1), (3, 2), "nothing is there twice");
}

#[tokio::test]
async fn a_push_that_is_never_answered_holds_nothing_up_when_fewer_events_of_others_are_in_its_place() {
    let flaky = Flaky::new(&[Mishap::Hangs], &[]);
    let registry = flaky.registry(StoreOptions::new());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    store.commit([written(1), written(2)]).unwrap();
    registry.settle().await;
    push_foreign(&flaky.inner, &[written(10)]).await;
    minute(&registry).await;
    assert_eq!((log(&store).as_str(), store.sync_status().pending), ("e1 e2r1 e3r1", 0));
}

#[tokio::test]
async fn what_fails_is_tried_again_and_the_status_says_why_it_failed() {
    let mishaps = [Mishap::Lost, Mishap::Unauthorized, Mishap::Panics, Mishap::Lost];
    let flaky = Flaky::new(&mishaps, &mishaps);
    let asked = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&asked);
    let payload = Payload::provider(move || {
        let count = {
            let mut asked = counted.lock().unwrap();
            *asked += 1;
            *asked
        };
        async move { Ok(Payload::new().with("token", count)) }
    });
    let registry = flaky.registry(StoreOptions::new().sync_payload(payload));
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    let receipt = store.commit(written(1)).unwrap();
    registry.settle().await;
    let status = store.sync_status();
    assert_eq!(status.phase, SyncPhase::Failing);
    assert!(matches!(status.last_error, Some(SyncError::Offline { .. })), "{status:?}");
    for _ in 0..4 {
        minute(&registry).await;
    }
    receipt.confirmed().await.unwrap();
    let status = store.sync_status();
    assert_eq!((status.phase, status.last_error, status.pending), (SyncPhase::Live, None, 0));
    // Each request has asked for a token of its own.
    let mut tokens = [flaky.payloads.lock().unwrap().clone(), flaky.pulled.lock().unwrap().clone()].concat();
    tokens.sort_by_key(|token| token.parse::<u32>().unwrap());
    let distinct: Vec<_> = (1..=tokens.len()).map(|token| token.to_string()).collect();
    assert_eq!((tokens, flaky.payloads.lock().unwrap().len()), (distinct, 5));
}

#[tokio::test]
async fn an_idle_store_asks_for_nothing_and_a_failing_one_not_more_often_than_every_15_seconds() {
    let flaky = Flaky::new(&[], &[]);
    let registry = flaky.registry(StoreOptions::new());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    store.commit(written(1)).unwrap();
    minute(&registry).await;
    let before = flaky.requests();
    for _ in 0..20 {
        minute(&registry).await;
    }
    assert_eq!((before, flaky.requests()), ((1, 1), (1, 1)));
    flaky.pushes.lock().unwrap().extend([Mishap::Lost; 1_000]);
    store.commit(written(2)).unwrap();
    for _ in 0..20 {
        minute(&registry).await;
    }
    let (pulls, pushes) = flaky.requests();
    assert!(pushes > 20 && pushes < 20 * 4 + 10, "{pushes} pushes and {pulls} pulls in 20 minutes");
    // A commit does not cut the pause short.
    store.commit(written(3)).unwrap();
    registry.settle().await;
    assert_eq!(flaky.requests().1, pushes);
}

#[tokio::test]
async fn a_pull_that_ends_and_says_that_there_is_more_has_failed_and_the_status_says_so() {
    let flaky = Flaky::with(&[], &[Mishap::Unfinished], BackendSupport::default().live_pull(false));
    let registry = flaky.registry(StoreOptions::new());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    let receipt = store.commit(written(1)).unwrap();
    registry.settle().await;
    let status = store.sync_status();
    let Some(SyncError::Backend { message, .. }) = &status.last_error else { panic!("{status:?}") };
    assert!(message.contains("before its last page") && status.phase == SyncPhase::Failing, "{status:?}");
    minute(&registry).await;
    receipt.confirmed().await.unwrap();
    assert_eq!(store.sync_status().last_error, None);
}

#[tokio::test]
async fn what_fails_after_it_went_well_is_tried_again_soon() {
    let flaky = Flaky::with(&[], &[Mishap::Unauthorized; 12], BackendSupport::default().live_pull(false));
    let registry = flaky.registry(StoreOptions::new());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    for _ in 0..10 {
        minute(&registry).await;
    }
    assert_eq!(store.sync_status().phase, SyncPhase::Live);
    flaky.pulls.lock().unwrap().push_back(Mishap::Unauthorized);
    let mut waited = 0;
    while store.sync_status().phase != SyncPhase::Failing {
        waited += 1;
        assert!(waited <= 60, "it is asked every 5 s");
        registry.advance(std::time::Duration::from_millis(100)).await;
    }
    registry.advance(std::time::Duration::from_secs(2)).await;
    assert_eq!(store.sync_status().phase, SyncPhase::Live, "and not after half a minute");
}

#[tokio::test]
async fn a_backend_without_live_pulls_is_asked_every_five_seconds() {
    let flaky = Flaky::with(&[], &[], BackendSupport::default().live_pull(false));
    let registry = flaky.registry(StoreOptions::new());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    push_foreign(&flaky.inner, &[written(10)]).await;
    registry.advance(std::time::Duration::from_secs(4)).await;
    assert_eq!(log(&store), "");
    registry.advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(log(&store), "e1");
    // What is committed meanwhile does not wait.
    store.commit(written(1)).unwrap();
    registry.settle().await;
    assert_eq!((log(&store).as_str(), flaky.inner.events(STORE).len()), ("e1 e2", 2));
    let before = flaky.requests().0;
    minute(&registry).await;
    assert_eq!(flaky.requests().0 - before, 12);
}

#[tokio::test]
async fn a_page_with_a_gap_changes_nothing_and_is_asked_for_again() {
    let flaky = Flaky::new(&[], &[Mishap::Gap]);
    push_foreign(&flaky.inner, &[written(10), written(11)]).await;
    let registry = flaky.registry(StoreOptions::new());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    assert_eq!(log(&store), "");
    let error = store.sync_status().last_error.unwrap().to_string();
    assert!(error.contains("e2") && error.contains("e0"), "{error}");
    minute(&registry).await;
    assert_eq!(log(&store), "e1 e2");
}

#[tokio::test]
async fn what_came_before_a_gap_is_taken_over_however_many_events_are_pending() {
    let flaky = Flaky::new(&[], &[]);
    push_foreign(&flaky.inner, &[written(9)]).await;
    let registry = flaky.registry(StoreOptions::new());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    flaky.inner.set_connected(false);
    registry.settle().await;
    flaky.pulls.lock().unwrap().extend([Mishap::Overtaken, Mishap::Lost, Mishap::Lost]);
    push_foreign(&flaky.inner, &[written(10), written(11), written(12), written(13)]).await;
    store.commit((0..5).map(written).collect::<Vec<_>>()).unwrap();
    flaky.inner.set_connected(true);
    registry.settle().await;
    assert_eq!(log(&store), "e1 e2 e3 | e4r1 e5r1 e6r1 e7r1 e8r1");
    assert_eq!(store.sync_status().phase, SyncPhase::Failing);
    minute(&registry).await;
    assert_eq!(log(&store), "e1 e2 e3 e4 e5 e6r2 e7r2 e8r2 e9r2 e10r2");
}

#[tokio::test]
async fn another_log_stops_sync_and_keeps_all_data_unless_it_is_as_good() {
    for ignored in [false, true] {
        let flaky = Flaky::new(&[], &[]);
        let change = if ignored { OnBackendChange::Ignore } else { OnBackendChange::Stop };
        let registry = flaky.registry(StoreOptions::new().on_backend_change(change));
        let store = registry.get::<Notebook>(STORE).await.unwrap();
        store.commit(written(1)).unwrap();
        minute(&registry).await;
        flaky.inner.set_connected(false);
        registry.settle().await;
        flaky.inner.replace(STORE, flaky.inner.events(STORE));
        store.commit(written(2)).unwrap();
        flaky.inner.set_connected(true);
        minute(&registry).await;
        let status = store.sync_status();
        if ignored {
            assert_eq!((status.phase, log(&store).as_str()), (SyncPhase::Live, "e1 e2"));
            continue;
        }
        assert_eq!((status.phase, log(&store).as_str()), (SyncPhase::Stopped, "e1 | e2"));
        assert!(matches!(status.last_error, Some(SyncError::BackendIdMismatch { .. })), "{:?}", status.last_error);
        let before = flaky.requests();
        minute(&registry).await;
        assert_eq!(flaky.requests(), before, "it is not asked again");
        store.commit(written(3)).unwrap();
        assert_eq!(store.query(Note::all()).unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_backend_that_lost_events_stops_sync_of_a_store_that_has_nothing_to_push() {
    let flaky = Flaky::new(&[], &[]);
    let registry = flaky.registry(StoreOptions::new());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    store.commit([written(1), written(2)]).unwrap();
    minute(&registry).await;
    flaky.inner.set_connected(false);
    registry.settle().await;
    flaky.pulls.lock().unwrap().push_back(Mishap::Shorter);
    flaky.inner.set_connected(true);
    minute(&registry).await;
    let status = store.sync_status();
    let error = status.last_error.expect("an error");
    assert!(matches!(error, SyncError::BackendRolledBack { confirmed: 2, head: 1, .. }), "{error}");
    assert_eq!((status.phase, log(&store).as_str()), (SyncPhase::Stopped, "e1 e2"));
}

#[tokio::test]
async fn a_client_that_may_not_push_is_up_to_date_and_its_status_says_what_is_unsent_and_why() {
    let flaky = Flaky::new(&[Mishap::Unauthorized; 3], &[]);
    let registry = flaky.registry(StoreOptions::new());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    store.commit(written(1)).unwrap();
    registry.settle().await;
    push_foreign(&flaky.inner, &[written(10)]).await;
    registry.settle().await;
    let status = store.sync_status();
    assert!(matches!(status.last_error, Some(SyncError::Unauthorized { .. })), "{status:?}");
    assert_eq!((status.phase, log(&store).as_str()), (SyncPhase::Failing, "e1 | e2r1"));
    minute(&registry).await;
    let status = store.sync_status();
    assert_eq!((status.phase, status.last_error, log(&store).as_str()), (SyncPhase::Live, None, "e1 e2r1"));
    assert_eq!(flaky.requests(), (1, 4), "one pull went on all the time");
}

#[tokio::test]
async fn a_store_whose_sync_has_stopped_is_not_pushed_while_its_registry_shuts_down() {
    let flaky = Flaky::new(&[], &[]);
    let registry = flaky.registry(StoreOptions::new());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    store.commit(written(1)).unwrap();
    minute(&registry).await;
    flaky.inner.replace(STORE, Vec::new());
    store.commit(written(2)).unwrap();
    minute(&registry).await;
    assert_eq!(store.sync_status().phase, SyncPhase::Stopped);
    let before = flaky.requests();
    let shutdown = registry.shutdown(std::time::Duration::from_secs(10));
    let (report, ()) = tokio::join!(shutdown, registry.advance(std::time::Duration::from_secs(10)));
    assert_eq!((report.unsent(), flaky.requests()), (1, before));
}

#[tokio::test]
async fn a_backend_that_went_back_stops_sync() {
    let flaky = Flaky::new(&[], &[]);
    let registry = flaky.registry(StoreOptions::new().on_backend_change(OnBackendChange::Ignore));
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    store.commit([written(1), written(2)]).unwrap();
    minute(&registry).await;
    flaky.inner.set_connected(false);
    registry.settle().await;
    flaky.inner.replace(STORE, flaky.inner.events(STORE)[..1].to_vec());
    store.commit(written(3)).unwrap();
    flaky.inner.set_connected(true);
    minute(&registry).await;
    let status = store.sync_status();
    let rolled_back = SyncError::BackendRolledBack { store: store.name().clone(), confirmed: 2, head: 1 };
    assert_eq!((status.phase, status.last_error), (SyncPhase::Stopped, Some(rolled_back)));
    assert_eq!((log(&store).as_str(), flaky.inner.events(STORE).len()), ("e1 e2 | e3", 1));
}

#[tokio::test]
async fn another_log_is_begun_anew_with_what_this_client_has_committed() {
    for (resend_own, in_log) in [(true, "e1 e2 e3 e4r2 e5r2 e6r2"), (false, "e1 e2 e3 e4r2")] {
        let flaky = Flaky::new(&[], &[]);
        let reset = OnBackendChange::Reset { resend_own };
        let registry = flaky.registry(StoreOptions::new().on_backend_change(reset));
        let store = registry.get::<Notebook>(STORE).await.unwrap();
        store.commit(written(1)).unwrap();
        minute(&registry).await;
        push_foreign(&flaky.inner, &[written(10)]).await;
        minute(&registry).await;
        store.commit([written(2), written(3)]).unwrap();
        minute(&registry).await;
        flaky.inner.set_connected(false);
        registry.settle().await;
        store.commit(written(4)).unwrap();
        assert_eq!(log(&store), "e1 e2 e3 e4 | e5");
        // The new log has the first own event in another place, others that are new, and has lost the rest.
        let old = flaky.inner.events(STORE);
        flaky.inner.replace(STORE, Vec::new());
        push_foreign(&flaky.inner, &[written(20), written(21)]).await;
        let mut new = flaky.inner.events(STORE);
        new.push(StoredEvent { number: "e3".parse().unwrap(), ..old[0].clone() });
        flaky.inner.replace(STORE, new);
        flaky.inner.set_connected(true);
        minute(&registry).await;
        assert_eq!(log(&store), in_log, "{:?}", store.sync_status());
        let numbers: Vec<_> =
            store.query(Note::all().order_by(Note::NUMBER.asc())).unwrap().iter().map(|note| note.number).collect();
        let own = if resend_own { vec![1, 2, 3, 4, 20, 21] } else { vec![1, 4, 20, 21] };
        assert_eq!((numbers, store.sync_status().phase), (own, SyncPhase::Live));
        assert!(store.verify().unwrap().is_sound());
        assert_eq!(flaky.inner.events(STORE).len(), store.log_numbers().unwrap().confirmed().len());
    }
}

#[tokio::test]
async fn a_backend_that_went_back_is_begun_anew_with() {
    let flaky = Flaky::new(&[], &[]);
    let reset = OnBackendChange::Reset { resend_own: true };
    let registry = flaky.registry(StoreOptions::new().on_backend_change(reset));
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    store.commit([written(1), written(2), written(3)]).unwrap();
    minute(&registry).await;
    flaky.inner.set_connected(false);
    registry.settle().await;
    flaky.inner.replace(STORE, flaky.inner.events(STORE)[..1].to_vec());
    flaky.inner.set_connected(true);
    minute(&registry).await;
    assert_eq!(flaky.inner.events(STORE).len(), 3);
    assert_eq!((log(&store).as_str(), store.sync_status().phase), ("e1r1 e2r1 e3r1", SyncPhase::Live));
    assert!(store.verify().unwrap().is_sound());
}

#[tokio::test]
async fn an_own_event_is_known_by_its_id_whatever_became_of_its_text() {
    let flaky = Flaky::new(&[Mishap::Lost], &[]);
    let registry = flaky.registry(StoreOptions::new());
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    flaky.inner.set_connected(false);
    store.commit([written(1), written(2)]).unwrap();
    let mut events = store.events(larder::EventNumber::ZERO).with_pending();
    let Some(Ok(larder::LogChange::Event(own))) = events.next().await else { panic!("an event") };
    let text = Some(r#"{"number":1,"text":"note  1"}"#.to_owned());
    flaky.inner.replace(STORE, vec![StoredEvent { args: text, ..own }]);
    flaky.inner.set_connected(true);
    minute(&registry).await;
    assert_eq!((log(&store).as_str(), flaky.inner.events(STORE).len()), ("e1 e2", 2));
}
