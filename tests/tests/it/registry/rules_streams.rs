//! Rule 14: streams and subscriptions are observers, receipts are none.

use larder::{Computed, OpenOptions, StoreError, StoreState, prelude::*};

use super::{
    fake::{Fake, synced},
    support::*,
};

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
async fn rule_14_a_computed_value_is_an_observer_of_all_its_stores_and_ends_with_one_error() {
    let bench = Bench::new();
    let (one, two) = (bench.get::<NoteStore>("one").await.unwrap(), bench.get::<NoteStore>("two").await.unwrap());
    let sources = (one.subscribe(Note::all().count()), two.subscribe(Note::all().count()));
    let total = Computed::new(sources, |(one, two)| *one + *two);
    let mut totals = total.subscribe();
    assert_eq!(*totals.next().await.unwrap().unwrap(), 0);
    one.commit(written(1)).unwrap();
    drop((one, two));
    bench.advance(1_000).await;
    assert_eq!([bench.stats_of("note", "one").observers, bench.stats_of("note", "two").observers], [1, 1]);
    assert_eq!(*totals.next().await.unwrap().unwrap(), 1);
    bench.evict::<NoteStore>("two").await.unwrap();
    assert!(matches!(totals.next().await, Some(Err(_))));
    assert!(totals.next().await.is_none());
    drop((total, totals));
    assert_eq!(bench.stats_of("note", "one").state, StoreState::Inactive);
}

#[tokio::test]
async fn rule_14_a_stream_counts_with_the_gc_time_of_the_definition_or_the_registry() {
    let bench = Bench::new();
    for (definition, deadline) in [("note", 60), ("patient", 300)] {
        let streams: [Box<dyn std::any::Any>; 2] = if definition == "note" {
            let handle = bench.get::<NoteStore>("n").gc_time(GcTime::seconds(1)).await.unwrap();
            [Box::new(handle.subscribe(Note::all())), Box::new(handle.events(larder::EventNumber::ZERO))]
        } else {
            let handle = bench.get::<PatientStore>("n").gc_time(GcTime::seconds(1)).await.unwrap();
            [Box::new(handle.subscribe(Note::all())), Box::new(handle.events(larder::EventNumber::ZERO))]
        };
        assert_eq!(bench.stats_of(definition, "n").state, StoreState::Active);
        drop(streams);
        assert_eq!(bench.deadline(definition, "n"), Some(deadline));
    }
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

/// A stream asks for no store, so it is no hit; neither is the registry itself when it keeps a store for its unsent events.
#[tokio::test]
async fn rule_12_only_who_asks_for_a_loaded_store_is_a_hit() {
    let fake = Fake::new("wss://one", true);
    fake.refuse(true);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    drop((handle.events(larder::EventNumber::ZERO), handle.subscribe(Note::all()), handle));
    bench.settle().await;
    assert_eq!((bench.stats().hits, bench.stats_of("note", "n").state), (0, StoreState::Active));
    drop((bench.get::<NoteStore>("n").await.unwrap(), bench.try_get::<NoteStore>("n").unwrap()));
    assert_eq!(bench.stats().hits, 2);
}

/// Without a registry, too: the store that was opened is closed with its last observer, whoever that is.
#[tokio::test]
async fn rule_14_a_stream_of_a_store_without_a_registry_keeps_it_open() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Store::<NoteStore>::open("n", OpenOptions::data_dir(dir.path()));
    let store = open().await.unwrap();
    let mut live = store.subscribe(Note::all());
    assert_eq!(live.next().await.unwrap().unwrap().len(), 0);
    let mut events = store.events(larder::EventNumber::ZERO);
    store.commit(written(1)).unwrap();
    drop(store);
    assert!(events.next().await.unwrap().is_ok());
    drop(events);
    assert_eq!(live.next().await.unwrap().unwrap().len(), 1);
    drop(live);
    // Closed in the background now.
    for _ in 0..1_000 {
        match open().await {
            Ok(again) => return assert_eq!(again.query(Note::all().count()).unwrap(), 1),
            Err(larder::LoadError::Locked { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the last observer left, and the store stays open");
}

#[tokio::test]
async fn rule_14_a_receipt_of_a_store_that_was_collected_says_what_became_of_it() {
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let receipt = bench.get::<NoteStore>("gone").await.unwrap().commit(written(1)).unwrap();
    bench.advance(120).await;
    assert!(!bench.has::<NoteStore>("gone"));
    let gone = receipt.confirmed().await;
    assert!(matches!(gone, Err(larder::SyncError::Store(StoreError::Evicted { .. }))), "{gone:?}");

    fake.connect(true);
    let receipt = bench.get::<NoteStore>("sent").await.unwrap().commit(written(1)).unwrap();
    bench.advance(120).await;
    assert!(!bench.has::<NoteStore>("sent"));
    receipt.confirmed().await.unwrap();
}
