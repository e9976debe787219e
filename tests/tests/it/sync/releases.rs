//! A release of an app whose materializers refuse what an earlier one has committed, while some of it is pending.

use std::{sync::Arc, time::Duration};

use larder::{BackendSupport, InitialSync, LocalBackend, StoreOptions, SyncBackend, SyncPhase, prelude::*};
use larder_tests::{
    forge::forget_tables,
    lab::Lab,
    notebook::{Note, NoteEvent, Notebook, failing_numbers, written},
};

use super::{
    clients::{STORE, log, push_foreign, push_texts, synced},
    flaky::{Flaky, Mishap},
};

/// Closes the store, which an app of another schema opens next.
async fn released(lab: &mut Lab, store: StoreHandle<Notebook>) {
    drop(store);
    lab.close_within(Duration::ZERO).await;
    forget_tables(&lab.sqlite("notebook"));
}

fn disconnected() -> Arc<LocalBackend> {
    let backend = LocalBackend::new("local");
    backend.set_connected(false);
    backend
}

fn quarantined(store: &Store<Notebook>) -> Vec<String> {
    store.quarantined_events().unwrap().iter().map(|one| one.event.number.to_string()).collect()
}

fn failed(store: &Store<Notebook>) -> Vec<String> {
    store.failed_events().unwrap().iter().map(|one| one.event.number.to_string()).collect()
}

#[tokio::test]
async fn a_pending_event_that_a_rebuild_cannot_materialize_is_quarantined_and_never_pushed() {
    let backend = disconnected();
    let mut lab = Lab::on_disk_with(synced(&backend));
    let store = lab.open::<Notebook>().await;
    store.commit((71_301..=71_305).map(written).collect::<Vec<_>>()).unwrap();
    released(&mut lab, store).await;
    let refused = failing_numbers(&[71_302, 71_304]);
    let store = lab.open::<Notebook>().await;
    assert_eq!((store.migrations_report().applied, store.migrations_report().failed), (3, 2));
    assert_eq!((log(&store).as_str(), quarantined(&store)), ("| e1r1 e2r1 e3r1", vec!["e2".to_owned(), "e4".into()]));
    assert_eq!((failed(&store), store.sync_status().failed), (Vec::new(), 0));
    assert_eq!(store.query(Note::all().count()).unwrap(), 3);
    assert!(store.verify().unwrap().is_sound());
    backend.set_connected(true);
    store.commit(written(71_306)).unwrap().confirmed().await.unwrap();
    let pushed: Vec<_> = backend.events(STORE).iter().map(|event| event.args.clone().unwrap()).collect();
    assert_eq!(pushed.len(), 4);
    assert!(!pushed.iter().any(|args| args.contains("71302") || args.contains("71304")), "{pushed:?}");
    // It was done once, and for good.
    drop(refused);
    backend.set_connected(false);
    drop(store);
    lab.close().await;
    let store = lab.open::<Notebook>().await;
    assert_eq!((log(&store).as_str(), quarantined(&store).len()), ("e1r1 e2r1 e3r1 e4r1", 2));
}

#[tokio::test]
async fn confirmed_events_that_a_rebuild_cannot_materialize_are_listed_and_pending_ones_behind_them_quarantined() {
    let backend = disconnected();
    let mut lab = Lab::on_disk_with(synced(&backend));
    push_foreign(&backend, &[written(71_311), written(71_312)]).await;
    backend.set_connected(true);
    let store = lab.open::<Notebook>().await;
    while store.head().global() < 2 {
        tokio::task::yield_now().await;
    }
    store.commit(written(71_313)).unwrap().confirmed().await.unwrap();
    backend.set_connected(false);
    released(&mut lab, store).await;
    let _refused = failing_numbers(&[71_312]);
    let store = lab.open::<Notebook>().await;
    assert_eq!(
        (log(&store).as_str(), failed(&store), quarantined(&store)),
        ("e1 e2 e3", vec!["e2".to_owned()], vec![])
    );
    store.commit([written(71_314), written(71_315)]).unwrap();
    released(&mut lab, store).await;
    let _refused = failing_numbers(&[71_314]);
    let store = lab.open::<Notebook>().await;
    assert_eq!((log(&store).as_str(), failed(&store)), ("e1 e2 e3 | e4r1", vec!["e2".to_owned()]));
    assert_eq!(quarantined(&store), ["e4"]);
    assert_eq!(store.query(Note::all().count()).unwrap(), 3);
    assert!(store.verify().unwrap().is_sound());
}

#[tokio::test]
async fn what_failed_before_there_was_a_backend_is_quarantined_when_there_is_one() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit([written(71_321), written(71_322), written(71_323)]).unwrap();
    released(&mut lab, store).await;
    let _refused = failing_numbers(&[71_322]);
    let store = lab.open::<Notebook>().await;
    assert_eq!((failed(&store), quarantined(&store)), (vec!["e2".to_owned()], vec![]), "nobody waits for it");
    drop(store);
    lab.close().await;
    let backend = disconnected();
    let get = lab.registry().get::<Notebook>(STORE).options(StoreOptions::new().sync(backend));
    let store = get.await.unwrap();
    assert_eq!(
        (log(&store).as_str(), failed(&store), quarantined(&store)),
        ("| e1r1 e2r1", vec![], vec!["e2".to_owned()])
    );
    assert!(store.verify().unwrap().is_sound());
}

#[tokio::test]
async fn a_store_that_has_events_of_newer_releases_alone_opens_and_takes_commits() {
    let backend = LocalBackend::new("local");
    let waits = InitialSync::Blocking { timeout: Duration::from_secs(60) };
    let mut lab = Lab::on_disk_with(synced(&backend).initial_sync(waits));
    push_texts(&backend, vec![("v2.Drawn", None), ("v2.Erased", None)]).await;
    let store = lab.open::<Notebook>().await;
    assert_eq!(log(&store), "e1 e2");
    released(&mut lab, store).await;
    let store = lab.open::<Notebook>().await;
    assert_eq!(store.migrations_report().unknown, 2);
    drop(store);
    lab.close_within(Duration::ZERO).await;
    // Damaged tables are built anew in another file.
    lab.sqlite("notebook").execute_batch("CREATE INDEX of_somebody_else ON notes (text)").unwrap();
    let store = lab.open::<Notebook>().await;
    assert_eq!((store.migrations_report().rebuilt(), store.migrations_report().unknown), (true, 2));
    store.commit(written(1)).unwrap().confirmed().await.unwrap();
    assert_eq!((log(&store).as_str(), backend.events(STORE).len()), ("e1 e2 e3", 3));
}

/// A push arrives, its answer does not, and the next release quarantines what was pushed, or what stands before it.
#[tokio::test]
async fn over_a_wire_without_ids_what_was_quarantined_or_renumbered_after_its_push_is_known_when_it_comes_back() {
    // And no pull goes on that would bring it back at once.
    let support = BackendSupport::default().event_ids(false).live_pull(false);
    let flaky = Flaky::with(&[Mishap::AnswerLost], &[], support);
    let mut lab = Lab::on_disk_with(StoreOptions::new().sync(Arc::clone(&flaky) as Arc<dyn SyncBackend>));
    let store = lab.open::<Notebook>().await;
    // Two that say the same, so that each is known once.
    store
        .commit([written(71_331), written(71_332), written(71_333), NoteEvent::Erased(71_333), written(71_333)])
        .unwrap();
    while flaky.inner.events(STORE).len() < 5 {
        tokio::task::yield_now().await;
    }
    flaky.inner.set_connected(false);
    assert_eq!(log(&store), "| e1 e2 e3 e4 e5");
    released(&mut lab, store).await;
    let _refused = failing_numbers(&[71_332]);
    let store = lab.open::<Notebook>().await;
    assert_eq!((log(&store).as_str(), quarantined(&store)), ("| e1r1 e2r1 e3r1 e4r1", vec!["e2".to_owned()]));
    flaky.inner.set_connected(true);
    while store.sync_status().phase != SyncPhase::Live || store.sync_status().pending > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(flaky.inner.events(STORE).len(), 5, "nothing is pushed again");
    assert_eq!((quarantined(&store), failed(&store)), (vec![], vec!["e2".to_owned()]), "it is in everybody's log");
    assert_eq!((store.head().global(), store.query(Note::all().count()).unwrap()), (5, 2));
    assert!(store.verify().unwrap().is_sound());
}
