//! Rule 14: streams and subscriptions are observers, receipts are none.

use larder::{StoreError, StoreState};

use super::support::*;

#[tokio::test]
async fn rule_14_a_stream_that_on_load_makes_is_an_observer_too() {
    let bench = Bench::new();
    let (sender, streams) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    on_load_run("streaming", move |store, _| {
        drop(store.events(larder::EventNumber::ZERO));
        sender.lock().unwrap().send(store.events(larder::EventNumber::ZERO)).unwrap();
    });
    let handle = bench.get::<HookedStore>("streaming").await.unwrap();
    let stream = streams.recv().unwrap();
    assert_eq!(bench.stats_of("hooked", "streaming").observers, 2);
    drop(handle);
    bench.advance(600).await;
    assert_eq!(bench.stats_of("hooked", "streaming").state, StoreState::Active);
    drop(stream);
    assert_eq!(bench.stats_of("hooked", "streaming").state, StoreState::Inactive);
}

#[tokio::test]
async fn rule_14_event_streams_are_observers_and_end_with_one_error() {
    let bench = Bench::new();
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    let receipt = handle.commit(written(1)).unwrap();
    let mut events = handle.events(larder::EventNumber::ZERO);
    assert_eq!(bench.stats_of("note", "n").observers, 2);
    drop(handle);
    bench.advance(1_000).await;
    assert_eq!(bench.stats_of("note", "n").observers, 1);
    assert!(events.next().await.unwrap().is_ok());
    bench.evict::<NoteStore>("n").await.unwrap();
    assert!(matches!(events.next().await, Some(Err(_))));
    assert!(events.next().await.is_none());

    let handle = bench.get::<NoteStore>("n").await.unwrap();
    let events = handle.events(larder::EventNumber::ZERO);
    drop(handle);
    assert_eq!(bench.stats_of("note", "n").observers, 1);
    drop(events);
    assert_eq!(bench.deadline("note", "n"), Some(60));
    drop(receipt);
}

#[tokio::test]
async fn rule_14_streams_of_changes_and_subscriptions_are_observers_and_end_with_one_error() {
    let bench = Bench::new();
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    let (mut changes, mut notes) = (handle.changes(), handle.subscribe(Note::all()));
    assert_eq!(bench.stats_of("note", "n").observers, 3);
    drop(handle);
    assert!(notes.next().await.unwrap().is_ok());
    bench.advance(1_000).await;
    assert_eq!(bench.stats_of("note", "n").observers, 2);
    bench.evict::<NoteStore>("n").await.unwrap();
    let ended = changes.next().await;
    assert!(matches!(ended, Some(Err(StoreError::Evicted { .. }))), "{ended:?}");
    assert!(changes.next().await.is_none());
    let ended = notes.next().await;
    let is_evicted =
        |error: &larder::QueryError| matches!(error.kind(), larder::QueryErrorKind::Store(StoreError::Evicted { .. }));
    assert!(ended.as_ref().is_some_and(|ended| ended.as_ref().is_err_and(is_evicted)), "{ended:?}");
    assert!(notes.next().await.is_none());
}

#[tokio::test]
async fn rule_14_receipts_hold_no_observer() {
    let bench = Bench::new();
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    let receipt = handle.commit(written(1)).unwrap();
    drop(handle);
    assert_eq!(bench.stats_of("note", "n").state, StoreState::Inactive);
    drop(receipt);
}
