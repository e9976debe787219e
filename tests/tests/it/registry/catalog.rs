//! What the catalog says of closed stores: where their events go, and which may be deleted.

use std::{path::Path, sync::Arc, time::Duration};

use larder::{DeleteError, StoreOptions, prelude::*};
use larder_tests::lab::copy_dir;

use super::{
    fake::{Fake, synced},
    support::*,
};

/// A data dir as a killed process leaves it, with one event of a store that was opened with the options of a call.
async fn killed(options: StoreOptions, left: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    let handle = bench.get::<NoteStore>("n").options(options).await.unwrap();
    handle.commit(written(1)).unwrap();
    copy_dir(dir.path(), left);
    drop(handle);
    bench.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn delete_is_refused_with_events_that_the_backend_of_a_call_lacks_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    killed(synced(&fake), dir.path()).await;
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    let deleted = bench.delete::<NoteStore>("n").await;
    assert!(matches!(deleted, Err(DeleteError::Unsent { events: 1, .. })), "{deleted:?}");
    assert!(bench.delete::<NoteStore>("n").forced().await.unwrap());
}

#[tokio::test]
async fn a_catalog_that_is_made_anew_knows_that_a_store_had_a_backend_also_when_nothing_was_confirmed() {
    let dir = tempfile::tempdir().unwrap();
    killed(synced(&Fake::new("wss://one", false)), dir.path()).await;
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.path().join(format!("catalog.db{ending}")));
    }
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    let deleted = bench.delete::<NoteStore>("n").await;
    assert!(matches!(deleted, Err(DeleteError::Unsent { events: 1, .. })), "{deleted:?}");
}

/// A store of a process that was killed, whose load is cancelled before it says how much is unsent.
#[tokio::test]
async fn rule_11_what_is_not_known_to_be_sent_is_reported_as_not_known() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    killed(synced(&fake), dir.path()).await;
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    let mut loading = bench.get::<NoteStore>("n");
    assert!(poll_once(&mut loading).is_pending());
    let report = bench.shutdown(Duration::ZERO).await;
    assert_eq!((report.stores[0].unsent, report.unsent()), (None, 0));
}

#[tokio::test]
async fn delete_asks_for_no_force_where_there_never_was_a_backend() {
    let dir = tempfile::tempdir().unwrap();
    killed(StoreOptions::new(), dir.path()).await;
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    assert!(bench.delete::<NoteStore>("n").await.unwrap());
    // An entry without a file, as a crash leaves it: there is nothing to be sent, and none is made to find that out.
    drop(bench.get::<NoteStore>("n").await.unwrap());
    bench.evict::<NoteStore>("n").await.unwrap();
    let file = bench.stored::<NoteStore>().await.unwrap().remove(0).file;
    let fake = Fake::new("wss://one", false);
    bench.update_defaults(synced(&fake));
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_file(file.with_extension("db.lock")).unwrap();
    let catalog = rusqlite::Connection::open(dir.path().join("catalog.db")).unwrap();
    catalog.execute("UPDATE stores SET unsent = NULL", []).unwrap();
    bench.log().take();
    assert!(bench.delete::<NoteStore>("n").await.unwrap());
    assert!(bench.stored::<NoteStore>().await.unwrap().is_empty() && !file.exists());
}

#[tokio::test]
async fn what_is_committed_while_a_store_is_open_without_the_backend_it_had_is_owed_to_that() {
    for closed in [true, false] {
        let (dir, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let fake = Fake::new("wss://one", true);
        let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
        bench.get::<NoteStore>("n").await.unwrap().commit(written(1)).unwrap();
        bench.settle().await;
        bench.clear().await.unwrap();
        assert_eq!((fake.received("n"), bench.stored::<NoteStore>().await.unwrap()[0].unsent), (1, Some(0)));
        bench.update_defaults(StoreOptions::new());
        bench.get::<NoteStore>("n").await.unwrap().commit(written(2)).unwrap();
        // As a process leaves it that is killed now.
        copy_dir(dir.path(), left.path());
        if closed {
            bench.clear().await.unwrap();
            assert_eq!(bench.stored::<NoteStore>().await.unwrap()[0].unsent, Some(1));
        }
        let deleted = bench.delete::<NoteStore>("n").await;
        assert!(matches!(deleted, Err(DeleteError::Unsent { events: 1, .. })), "{deleted:?}");
        bench.shutdown(Duration::ZERO).await;
        let after_the_kill = Bench::with(|builder| builder.data_dir(left.path()));
        let deleted = after_the_kill.delete::<NoteStore>("n").await;
        assert!(matches!(deleted, Err(DeleteError::Unsent { events: 1, .. })), "{deleted:?}");

        let again =
            Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)).definition::<NoteStore>());
        again.settle().await;
        assert_eq!(fake.received("n"), 2);
    }
}

#[tokio::test]
async fn a_store_without_an_entry_that_is_opened_without_the_backend_it_had_owes_that_what_is_committed() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", true);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    bench.get::<NoteStore>("n").await.unwrap().commit(written(1)).unwrap();
    bench.settle().await;
    bench.clear().await.unwrap();
    let catalog = rusqlite::Connection::open(dir.path().join("catalog.db")).unwrap();
    catalog.execute("DELETE FROM stores", []).unwrap();
    bench.update_defaults(StoreOptions::new());
    bench.get::<NoteStore>("n").await.unwrap().commit(written(2)).unwrap();
    bench.clear().await.unwrap();
    let deleted = bench.delete::<NoteStore>("n").await;
    assert!(matches!(deleted, Err(DeleteError::Unsent { events: 1, .. })), "{deleted:?}");
}

#[tokio::test]
async fn rule_13_a_closed_store_is_sent_under_the_sync_id_it_had_last() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    drop(bench.get::<NoteStore>("a:1").await.unwrap());
    bench.clear().await.unwrap();
    let renamed = StoreOptions::new().sync_id(|id| id.as_str().replace(':', "_"));
    bench.get::<NoteStore>("a:1").options(renamed).await.unwrap().commit(written(1)).unwrap();
    bench.clear().await.unwrap();
    fake.connect(true);
    bench.settle().await;
    assert_eq!((fake.received("a_1"), fake.received("a:1")), (1, 0));
}

#[tokio::test]
async fn rule_13_a_closed_store_is_sent_to_the_backend_it_had_last() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (Fake::new("wss://one", false), Fake::new("wss://two", false));
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&one)));
    drop(bench.get::<NoteStore>("n").await.unwrap());
    bench.clear().await.unwrap();
    bench.get::<NoteStore>("n").options(synced(&two)).await.unwrap().commit(written(1)).unwrap();
    bench.clear().await.unwrap();
    one.connect(true);
    bench.settle().await;
    assert_eq!((one.received("n"), two.received("n")), (0, 0));
    two.connect(true);
    bench.settle().await;
    assert_eq!((one.received("n"), two.received("n")), (0, 1));
}

/// Rule 13 without the catalog that knew whose the events were.
#[tokio::test]
async fn rule_13_what_another_backend_may_have_confirmed_waits_until_somebody_opens_it() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (Fake::new("wss://one", false), Fake::new("wss://two", true));
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&one)));
    bench.get::<NoteStore>("fresh").await.unwrap().commit(written(1)).unwrap();
    let begun = bench.get::<NoteStore>("begun").options(synced(&two)).await.unwrap();
    begun.commit(written(1)).unwrap();
    drop(begun);
    bench.settle().await;
    assert_eq!(two.received("begun"), 1);
    two.connect(false);
    bench.settle().await;
    bench.get::<NoteStore>("begun").options(synced(&two)).await.unwrap().commit(written(2)).unwrap();
    bench.clear().await.unwrap();
    bench.shutdown(Duration::ZERO).await;
    std::fs::remove_file(dir.path().join("catalog.db")).unwrap();

    one.connect(true);
    let again = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&one)).definition::<NoteStore>());
    again.settle().await;
    assert_eq!((one.received("fresh"), one.received("begun")), (1, 0));
    again.update_defaults(StoreOptions::new());
    let deleted = again.delete::<NoteStore>("begun").await;
    assert!(matches!(deleted, Err(DeleteError::Unsent { events: 1, .. })), "{deleted:?}");
    two.connect(true);
    drop(again.get::<NoteStore>("begun").options(synced(&two)).await.unwrap());
    again.settle().await;
    assert_eq!((one.received("begun"), two.received("begun")), (0, 2));
}

#[tokio::test]
async fn a_store_that_is_deleted_elsewhere_while_it_is_opened_is_in_the_catalog() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let one = Bench::with(|builder| builder.data_dir(dir.path()));
    drop(one.get::<NoteStore>("n").await.unwrap());
    one.evict::<NoteStore>("n").await.unwrap();
    let two = Bench::with(|builder| builder.data_dir(dir.path()));
    let gate = Gate::default();
    let held = gate.clone();
    fake.when_asked_for_its_name(move || held.pass());
    let mut get = two.get::<NoteStore>("n").options(synced(&fake));
    assert!(poll_once(&mut get).is_pending());
    until("the load has entered the store", || gate.came() == 1).await;
    assert!(one.delete::<NoteStore>("n").await.unwrap());
    gate.open();
    let handle = get.await.unwrap();
    handle.commit(written(1)).unwrap();
    let stored = two.stored::<NoteStore>().await.unwrap();
    assert_eq!(stored.iter().map(|stored| stored.id.as_str()).collect::<Vec<_>>(), ["n"]);
    let other: Arc<Fake> = Fake::new("wss://one", false);
    let claimed = two.get::<PatientStore>("n").options(synced(&other)).await;
    assert!(matches!(claimed, Err(LoadError::SyncIdConflict { .. })), "{claimed:?}");
}

#[tokio::test]
async fn a_sync_id_that_no_backend_takes_is_refused_and_the_store_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    for (map, refused) in [
        ((|id| format!("a/{}", id.as_str())) as fn(&StoreId) -> String, true),
        (|_| String::new(), true),
        (|_| "x".repeat(121), true),
        // As TypeScript's may begin.
        (|id| format!("_{}", id.as_str()), false),
    ] {
        let opened = bench.get::<NoteStore>("n").options(synced(&fake).sync_id(map)).await;
        match opened {
            Err(LoadError::SyncId { store, .. }) if refused => assert_eq!(store.to_string(), "note/n"),
            Ok(_) if !refused => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(bench.stored::<NoteStore>().await.unwrap().len(), usize::from(!refused));
    }
}
