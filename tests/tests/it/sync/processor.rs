//! Who syncs when: wake on commit, batches, pages, the network, the first sync, the status.

use std::{sync::Arc, time::Duration};

use larder::{GcTime, InitialSync, LoadProgress, LocalBackend, StoreOptions, SyncBackend, SyncPhase, UnknownEvents};
use larder_tests::{
    lab::poll_once,
    notebook::{Note, NoteEvent, Notebook, written},
};

use super::{
    clients::{Client, STORE, log, push_foreign, push_texts},
    flaky::{Flaky, Mishap},
};

fn many(count: i64) -> Vec<NoteEvent> {
    (0..count).map(written).collect()
}

#[tokio::test]
async fn what_one_client_commits_another_sees_without_any_time_that_passes() {
    let backend = LocalBackend::new("local");
    let (one, other) = (Client::new(&backend, false), Client::new(&backend.another(), true));
    let (ours, theirs) = (one.open::<Notebook>().await, other.open::<Notebook>().await);
    let mut live = theirs.subscribe(Note::all());
    assert!(live.next().await.unwrap().unwrap().is_empty());
    let receipt = ours.commit(written(1)).unwrap();
    assert_eq!(live.next().await.unwrap().unwrap().len(), 1);
    receipt.confirmed().await.unwrap();
    assert_eq!((log(&ours).as_str(), log(&theirs).as_str()), ("e1", "e1"));
    theirs.commit(NoteEvent::Erased(1)).unwrap();
    one.settle().await;
    other.settle().await;
    one.settle().await;
    assert!(ours.query(Note::all()).unwrap().is_empty());
}

#[tokio::test]
async fn many_events_go_in_many_batches_and_come_in_many_pages() {
    for in_files in [true, false] {
        let backend = LocalBackend::new("local");
        let (one, other) = (Client::new(&backend, in_files), Client::new(&backend.another(), in_files));
        one.backend.set_connected(false);
        let ours = one.open::<Notebook>().await;
        ours.commit(many(450)).unwrap();
        one.sync().await;
        assert_eq!((backend.events(STORE).len(), ours.sync_status().pending), (450, 0));
        let theirs = other.open::<Notebook>().await;
        other.sync().await;
        assert_eq!(theirs.query(Note::all()).unwrap().len(), 450);
        assert_eq!(theirs.sync_status().behind, 0);
        assert!(theirs.verify().unwrap().is_sound());
    }
}

#[tokio::test]
async fn a_registry_off_the_network_syncs_nothing_until_it_is_on_it_again() {
    let backend = LocalBackend::new("local");
    let client = Client::new(&backend, false);
    client.network().set_offline(true);
    let store = client.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    push_foreign(&backend, &[written(10)]).await;
    client.advance(Duration::from_secs(60)).await;
    assert!(client.network().is_offline() && backend.connected());
    assert_eq!((store.sync_status().phase, log(&store).as_str()), (SyncPhase::Offline, "| e1"));
    client.network().set_offline(false);
    client.settle().await;
    assert_eq!((store.sync_status().phase, log(&store).as_str()), (SyncPhase::Live, "e1 e2r1"));
    // In the middle of a session, too.
    client.network().set_offline(true);
    client.settle().await;
    push_foreign(&backend, &[written(11)]).await;
    client.advance(Duration::from_secs(60)).await;
    assert_eq!((store.sync_status().phase, log(&store).as_str()), (SyncPhase::Offline, "e1 e2r1"));
}

#[tokio::test]
async fn a_load_that_waits_for_the_first_sync_has_all_events_and_tells_how_far_it_is() {
    let backend = LocalBackend::new("local");
    for hundred in 0..3 {
        push_foreign(&backend, &(0..100).map(|at| written(hundred * 100 + at)).collect::<Vec<_>>()).await;
    }
    let blocking = InitialSync::Blocking { timeout: Duration::from_secs(5) };
    let client = Client::with(&backend.another(), false, |options| options.initial_sync(blocking));
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = Arc::clone(&seen);
    let get = client.get::<Notebook>(STORE).progress(move |progress| heard.lock().unwrap().push(progress));
    let store = get.await.unwrap();
    assert_eq!(store.query(Note::all()).unwrap().len(), 300);
    let seen: Vec<_> =
        seen.lock().unwrap().iter().map(|progress: &LoadProgress| (progress.done, progress.total)).collect();
    assert_eq!(seen, [(100, 300), (200, 300)]);
    assert_eq!(store.sync_status().confirmed.global(), 300);
}

#[tokio::test]
async fn a_load_that_waits_in_vain_goes_on_without() {
    let backend = LocalBackend::new("local");
    push_foreign(&backend, &[written(1)]).await;
    backend.set_connected(false);
    let blocking = InitialSync::Blocking { timeout: Duration::from_secs(5) };
    let client = Client::with(&backend, false, |options| options.initial_sync(blocking));
    let mut get = client.get::<Notebook>(STORE);
    assert!(poll_once(&mut get).await.is_none());
    client.advance(Duration::from_secs(4)).await;
    assert!(poll_once(&mut get).await.is_none());
    client.advance(Duration::from_secs(1)).await;
    let store = get.await.unwrap();
    assert_eq!(log(&store), "");
    // A connection in time ends the wait.
    drop(store);
    client.clear().await.unwrap();
    let mut get = client.get::<Notebook>(STORE);
    assert!(poll_once(&mut get).await.is_none());
    client.advance(Duration::from_secs(3)).await;
    backend.set_connected(true);
    assert_eq!(log(&*get.await.unwrap()), "e1");
}

#[tokio::test]
async fn a_load_that_waits_for_the_first_sync_asks_again_when_a_pull_ends_before_its_last_page() {
    let flaky = Flaky::new(&[], &[Mishap::Unfinished]);
    push_foreign(&flaky.inner, &[written(1), written(2)]).await;
    let blocking = InitialSync::Blocking { timeout: Duration::from_secs(60) };
    let registry = flaky.registry(StoreOptions::new().initial_sync(blocking));
    let mut get = registry.get::<Notebook>(STORE);
    assert!(poll_once(&mut get).await.is_none());
    registry.settle().await;
    assert!(poll_once(&mut get).await.is_none(), "it has not all that there is");
    registry.advance(Duration::from_secs(2)).await;
    assert_eq!(log(&*get.await.unwrap()), "e1 e2");
}

#[tokio::test]
async fn the_status_is_watched_without_holding_the_store() {
    let backend = LocalBackend::new("local");
    backend.set_connected(false);
    let client = Client::new(&backend, false);
    let store = client.get::<Notebook>(STORE).gc_time(GcTime::ZERO).await.unwrap();
    let mut statuses = store.watch_sync();
    let first = statuses.next().await.unwrap();
    assert_eq!((first.phase, first.pending, first.connected()), (SyncPhase::Offline, 0, false));
    store.commit(written(1)).unwrap();
    assert_eq!(statuses.next().await.unwrap().pending, 1);
    client.sync().await;
    let last = statuses.next().await.unwrap();
    assert_eq!((last.phase, last.pending, last.confirmed.to_string()), (SyncPhase::Live, 0, "e1".to_owned()));
    assert!(last.connected());
    drop(store);
    client.settle().await;
    assert!(statuses.next().await.is_none());
    let plain = Client::with(&backend, false, |_| StoreOptions::new());
    assert_eq!(plain.open::<Notebook>().await.sync_status().phase, SyncPhase::Off);
}

#[tokio::test]
async fn an_event_that_nobody_knows_follows_the_option_when_it_comes() {
    let backend = LocalBackend::new("local");
    push_texts(&backend, vec![("v1.NoteWritten", Some(r#"{"number":1,"text":"x"}"#.to_owned())), ("v9.Later", None)])
        .await;
    let client = Client::with(&backend, true, |options| options.unknown_events(UnknownEvents::Fail));
    let store = client.open::<Notebook>().await;
    client.sync().await;
    let status = store.sync_status();
    assert_eq!((status.phase, log(&store).as_str()), (SyncPhase::Stopped, ""));
    let error = status.last_error.unwrap().to_string();
    assert!(error.contains("v9.Later") && error.contains("e2"), "{error}");
    drop(store);
    let lenient = Client::with(&backend.another(), true, |options| options.unknown_events(UnknownEvents::Ignore));
    let store = lenient.open::<Notebook>().await;
    lenient.sync().await;
    assert_eq!((log(&store).as_str(), store.query(Note::all()).unwrap().len()), ("e1 e2", 1));
}

#[tokio::test]
async fn a_store_that_was_closed_with_unsent_events_is_rebased_when_it_is_sent() {
    let backend = LocalBackend::new("local");
    backend.set_connected(false);
    let client = Client::new(&backend, true);
    let store = client.open::<Notebook>().await;
    store.commit([written(1), written(2)]).unwrap();
    drop(store);
    client.evict::<Notebook>(STORE).await.unwrap();
    push_foreign(&backend, &[written(10), written(2)]).await;
    client.sync().await;
    assert_eq!(backend.events(STORE).len(), 3);
    assert!(!client.has::<Notebook>(STORE));
    let store = client.open::<Notebook>().await;
    assert_eq!((log(&store).as_str(), store.quarantined_events().unwrap().len()), ("e1 e2 e3r1", 1));
}

#[tokio::test]
async fn stores_in_sync_take_no_task_of_their_own() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let backend = LocalBackend::new("local");
    let client = Client::new(&backend, false);
    let first = client.get::<Notebook>("book:0").await.unwrap();
    client.sync().await;
    let before = tasks();
    let mut others = Vec::new();
    for at in 1..40 {
        others.push(client.get::<Notebook>(format!("book:{at}")).await.unwrap());
    }
    client.sync().await;
    assert!(tasks() <= before, "{} tasks for 40 stores, {before} for one", tasks());
    for store in &others {
        store.commit(written(1)).unwrap();
    }
    client.settle().await;
    assert!(others.iter().all(|store| log(store) == "e1"));
    drop(first);
}

#[tokio::test]
async fn clients_that_commit_at_the_same_time_come_to_one_log_without_a_pause() {
    for in_files in [true, false] {
        let backend = LocalBackend::new("local");
        let clients = [0, 1, 2].map(|_| Client::new(&backend.another(), in_files));
        let mut stores = Vec::new();
        for client in &clients {
            stores.push(client.open::<Notebook>().await);
            client.settle().await;
        }
        for round in 0..20 {
            for (store, own) in stores.iter().zip([1_000, 2_000, 3_000]) {
                store.commit([written(own + round), NoteEvent::LookedAt(round)]).unwrap();
            }
            if round % 4 == 0 {
                tokio::task::yield_now().await;
            }
        }
        // Pushes are some milliseconds apart while events come; a pause after a failure would be half a second.
        for _ in 0..40 {
            for client in &clients {
                client.advance(Duration::from_millis(5)).await;
            }
        }
        assert_eq!(backend.events(STORE).len(), 60);
        for store in &stores {
            let status = store.sync_status();
            assert_eq!((status.pending, status.confirmed.global(), status.last_error), (0, 60, None));
            assert_eq!(store.query(Note::all()).unwrap().len(), 60);
            assert!(store.verify().unwrap().is_sound());
        }
    }
}
