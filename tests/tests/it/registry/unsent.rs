//! Rule 13, and what shutdown and delete do with unsent events, against a fake backend.

use std::{sync::Arc, time::Duration};

use larder::{DeleteError, InitialSync, LoadError, Payload, StoreState, StoreSync, SyncPhase};

use super::{
    fake::{Fake, synced},
    support::*,
};

#[tokio::test]
async fn rule_13_a_store_with_unsent_events_counts_as_observed_while_its_backend_is_connected() {
    let fake = Fake::new("wss://one", true);
    fake.refuse(true);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit([written(1), written(2)]).unwrap();
    assert_eq!(bench.stats_of("note", "n").sync, StoreSync::Connected { unsent: 2 });
    drop(handle);
    bench.advance(600).await;
    assert_eq!((bench.stats_of("note", "n").state, bench.stats_of("note", "n").observers), (StoreState::Active, 1));
    fake.refuse(false);
    bench.advance(30).await;
    assert_eq!(fake.received("n"), 2);
    assert_eq!(bench.stats_of("note", "n").state, StoreState::Inactive);
    bench.advance(60).await;
    assert!(!bench.has::<NoteStore>("n"));
}

#[tokio::test]
async fn rule_13_without_a_connection_it_is_collected_as_any_other() {
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    drop(handle);
    assert_eq!(bench.stats_of("note", "n").sync, StoreSync::Disconnected { unsent: 1 });
    assert_eq!(bench.deadline("note", "n"), Some(60));
    bench.advance(60).await;
    assert!(!bench.has::<NoteStore>("n"));
}

#[tokio::test]
async fn rule_13_a_connection_that_comes_or_goes_stops_and_starts_the_clock() {
    let fake = Fake::new("wss://one", false);
    fake.refuse(true);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    drop(handle);
    bench.advance(10).await;
    fake.connect(true);
    bench.settle().await;
    assert_eq!((bench.stats_of("note", "n").state, bench.stats_of("note", "n").observers), (StoreState::Active, 1));
    bench.advance(100).await;
    fake.connect(false);
    bench.settle().await;
    assert_eq!(bench.stats_of("note", "n").state, StoreState::Inactive);
    bench.advance(60).await;
    assert!(!bench.has::<NoteStore>("n"));
}

#[tokio::test]
async fn rule_13_closed_with_unsent_events_it_is_opened_without_on_load_when_the_network_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    let calls = Arc::default();
    for turn in 0..12 {
        let id = format!("r13-{turn}");
        on_load(&id, Hook::Count(Arc::clone(&calls)));
        bench.get::<HookedStore>(&id).await.unwrap().commit([written(1), written(2)]).unwrap();
    }
    bench.clear().await.unwrap();
    let stored = bench.stored::<HookedStore>().await.unwrap();
    assert!(stored.iter().all(|store| store.unsent == Some(2)), "{stored:?}");
    assert_eq!(calls.lock().unwrap().len(), 12);
    fake.connect(true);
    bench.settle().await;
    assert!((0..12).all(|turn| fake.received(&format!("r13-{turn}")) == 2));
    assert!(fake.most() <= 4, "{} at the same time", fake.most());
    assert_eq!(calls.lock().unwrap().len(), 12, "on_load ran for a store that nobody asked for");
    assert!(bench.stats().stores.is_empty());
    let stored = bench.stored::<HookedStore>().await.unwrap();
    assert!(stored.iter().all(|store| store.unsent == Some(0)), "{stored:?}");
}

#[tokio::test]
async fn rule_13_closed_with_unsent_events_it_is_opened_when_the_registry_starts() {
    let dir = tempfile::tempdir().unwrap();
    let offline = Fake::new("wss://one", false);
    let first = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&offline)));
    first.get::<NoteStore>("n").await.unwrap().commit(written(1)).unwrap();
    let report = first.shutdown(Duration::ZERO).await;
    assert_eq!((report.unsent(), report.stores.len()), (1, 1));

    let online = Fake::new("wss://one", true);
    let second =
        Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&online)).definition::<NoteStore>());
    second.settle().await;
    assert_eq!(online.received("n"), 1);
    assert!(second.stats().stores.is_empty());
}

#[tokio::test]
async fn rule_13_who_asks_for_a_store_that_is_only_being_sent_gets_it_with_on_load() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    let calls = Arc::default();
    on_load("r13-asked", Hook::Count(Arc::clone(&calls)));
    for turn in 0..12 {
        bench.get::<HookedStore>("r13-asked").await.unwrap().commit(written(turn)).unwrap();
        bench.clear().await.unwrap();
        fake.connect(true);
        for _ in 0..turn {
            tokio::task::yield_now().await;
        }
        let handle = bench.get::<HookedStore>("r13-asked").await.unwrap();
        assert_eq!(calls.lock().unwrap().len(), 2 * (usize::try_from(turn).unwrap() + 1));
        drop(handle);
        bench.settle().await;
        fake.connect(false);
        bench.settle().await;
        bench.clear().await.unwrap();
    }
    assert_eq!(fake.received("r13-asked"), 12);
}

#[tokio::test]
async fn shutdown_sends_what_it_can_until_the_deadline() {
    let fake = Fake::new("wss://one", true);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit((0..250).map(written).collect::<Vec<_>>()).unwrap();
    let report = bench.shutdown(Duration::from_secs(5)).await;
    assert!(report.is_clean());
    assert_eq!((report.unsent(), fake.received("n")), (0, 250));
}

#[tokio::test]
async fn shutdown_goes_on_after_the_deadline_and_says_what_is_unsent() {
    let fake = Fake::new("wss://one", true);
    fake.hang(&["n"]);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit([written(1), written(2)]).unwrap();
    let mut shutdown = Box::pin(bench.shutdown(Duration::from_secs(5)));
    assert!(poll_once(&mut shutdown).is_pending());
    assert!(handle.commit(written(3)).is_ok(), "it is not closed before the deadline");
    let (report, ()) = tokio::join!(shutdown, bench.advance(5));
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.unsent(), 3);
}

#[tokio::test]
async fn one_backend_and_sync_id_belong_to_one_definition() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let options = synced(&fake).sync_id(|id| id.as_str().replace(':', "_"));
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(options.clone()));
    drop(bench.get::<NoteStore>("a:1").await.unwrap());
    match bench.get::<PatientStore>("a:1").await {
        Err(LoadError::SyncIdConflict { sync_id, owner, .. }) => {
            assert_eq!((sync_id.as_str(), owner.as_str()), ("a_1", "note"))
        }
        other => panic!("{other:?}"),
    }
    let of_another = bench.get::<NoteStore>("a_1").await.unwrap_err();
    assert!(of_another.to_string().contains("belongs to `note/a:1`"), "{of_another}");
    let other = Fake::new("wss://two", false);
    assert!(bench.get::<PatientStore>("a:1").options(synced(&other)).await.is_ok());
    assert!(bench.get::<NoteStore>("a:1").await.is_ok());
}

#[tokio::test]
async fn delete_is_refused_with_unsent_events_unless_forced() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    bench.get::<NoteStore>("n").await.unwrap().commit(written(1)).unwrap();
    assert!(matches!(bench.delete::<NoteStore>("n").await, Err(DeleteError::Unsent { events: 1, .. })));
    // A catalog that does not know opens the store to find out.
    bench.shutdown(Duration::ZERO).await;
    std::fs::remove_file(dir.path().join("catalog.db")).unwrap();
    let again = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    assert_eq!(again.stored::<NoteStore>().await.unwrap()[0].unsent, None);
    assert!(matches!(again.delete::<NoteStore>("n").await, Err(DeleteError::Unsent { events: 1, .. })));
    assert!(again.delete::<NoteStore>("n").forced().await.unwrap());
    assert!(again.stored::<NoteStore>().await.unwrap().is_empty());
}

#[tokio::test]
async fn events_are_streamed_once_confirmed_and_with_pending_at_once() {
    let fake = Fake::new("wss://one", true);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let store = bench.get::<NoteStore>("n").await.unwrap();
    let receipt = store.commit([written(1), written(2)]).unwrap();
    assert_eq!(store.log_numbers(), Ok("| e1 e2".parse().unwrap()));
    let mut confirmed = store.events(larder::EventNumber::ZERO);
    let mut all = store.events(larder::EventNumber::ZERO).with_pending();
    for number in 1..=2 {
        let Some(Ok(larder::LogChange::Event(event))) = all.next().await else { panic!("an event") };
        assert_eq!(event.decode().unwrap(), Some(written(number)));
    }
    assert!(poll_once(&mut Box::pin(confirmed.next())).is_pending());
    assert!(poll_once(&mut Box::pin(receipt.confirmed())).is_pending());
    drop((store, confirmed, all));
    bench.advance(30).await;
    assert_eq!(fake.received("n"), 2);
    assert!(poll_once(&mut Box::pin(receipt.confirmed())).is_ready());
    let store = bench.get::<NoteStore>("n").await.unwrap();
    store.commit(written(3)).unwrap();
    assert_eq!(store.log_numbers(), Ok("e1 e2 | e3".parse().unwrap()));
    let mut confirmed = store.events(larder::EventNumber::ZERO);
    for number in 1..=2 {
        assert_eq!(confirmed.next().await.unwrap().unwrap().decode().unwrap(), Some(written(number)));
    }
    assert!(poll_once(&mut Box::pin(confirmed.next())).is_pending());
}

/// Rule 13 of a catalog that cannot be read for a while: the closed stores are sent when it can.
#[tokio::test]
async fn rule_13_a_catalog_that_cannot_be_read_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let first = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    first.get::<NoteStore>("n").await.unwrap().commit(written(1)).unwrap();
    first.shutdown(Duration::ZERO).await;
    let again = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    let other = rusqlite::Connection::open(dir.path().join("catalog.db")).unwrap();
    other.execute_batch("ALTER TABLE stores RENAME TO hidden").unwrap();
    drop(again.get::<NoteStore>("other").await);
    fake.connect(true);
    again.advance(1).await;
    assert_eq!(fake.received("n"), 0);
    other.execute_batch("ALTER TABLE hidden RENAME TO stores").unwrap();
    drop(other);
    again.advance(60).await;
    assert_eq!(fake.received("n"), 1);
}

#[tokio::test]
async fn a_store_whose_connection_went_during_its_load_says_that_it_is_offline() {
    let fake = Fake::new("wss://one", true);
    let waits = InitialSync::Blocking { timeout: Duration::from_secs(60) };
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake).initial_sync(waits)));
    let (id, going) = ("went-offline", Arc::clone(&fake));
    on_load_wait(id, move |store, context| {
        assert_eq!(store.sync_status().phase, SyncPhase::Live, "the first sync has ended");
        going.connect(false);
        Box::pin(async move {
            while context.registry().network().is_connected() {
                tokio::task::yield_now().await;
            }
            Ok(())
        })
    });
    let handle = bench.get::<HookedStore>(id).await.unwrap();
    let status = handle.sync_status();
    assert_eq!((status.phase, status.connected()), (SyncPhase::Offline, false));
    fake.connect(true);
    bench.settle().await;
    assert_eq!(handle.sync_status().phase, SyncPhase::Live);
}

#[tokio::test]
async fn a_store_whose_connection_went_before_the_last_page_of_its_first_sync_says_that_it_is_offline() {
    let fake = Fake::new("wss://one", true);
    let bench = Bench::new();
    let (going, network) = (Arc::clone(&fake), bench.network());
    let payload = Payload::provider(move || {
        let (going, network) = (Arc::clone(&going), network.clone());
        async move {
            for connected in [true, false] {
                going.connect(connected);
                while network.is_connected() != connected {
                    tokio::task::yield_now().await;
                }
            }
            // The fake answers pulls all the same.
            Ok(Payload::new())
        }
    });
    let waits = InitialSync::Blocking { timeout: Duration::from_secs(60) };
    let handle = bench.get::<NoteStore>("n").options(synced(&fake).initial_sync(waits).sync_payload(payload)).await;
    let status = handle.unwrap().sync_status();
    assert_eq!((status.phase, status.connected()), (SyncPhase::Offline, false));
}
