//! Shutdown, delete and stores that stop, in the corners: what is closing already, what cannot be closed, what only the registry holds.

use std::time::Duration;

use larder::{DeleteError, LoadError, StoreEnd, StoreError, StoreShutdown, StoreState};

use super::{
    fake::{Fake, synced},
    support::*,
};

fn ended<'a>(stores: &'a [StoreShutdown], id: &str) -> &'a StoreShutdown {
    stores.iter().find(|store| store.name.id().as_str() == id).unwrap_or_else(|| panic!("no {id}: {stores:?}"))
}

#[tokio::test]
async fn rule_11_a_store_that_is_closing_already_is_reported_with_its_unsent_events() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit([written(1), written(2)]).unwrap();
    let reading = Reading::begin(handle);
    drop(bench.evict::<NoteStore>("n"));
    // Unsent in the catalog, and its load is cancelled.
    bench.get::<NoteStore>("m").await.unwrap().commit(written(1)).unwrap();
    bench.evict::<NoteStore>("m").await.unwrap();
    let mut loading = bench.get::<NoteStore>("m");
    assert!(poll_once(&mut loading).is_pending());
    let shutdown = bench.shutdown(Duration::from_secs(5));
    reading.end();
    let report = shutdown.await;
    let (closing, cancelled) = (ended(&report.stores, "n"), ended(&report.stores, "m"));
    assert_eq!((&closing.ended, closing.unsent), (&StoreEnd::Closed, Some(2)));
    assert_eq!((&cancelled.ended, cancelled.unsent), (&StoreEnd::Cancelled, Some(1)));
}

#[tokio::test]
async fn rule_11_a_child_whose_push_hangs_keeps_nobody_elses_events_back() {
    let fake = Fake::new("wss://one", true);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    on_load("ending-parent", Hook::Children(vec!["ending-child".to_owned()]));
    let parent = bench.get::<HookedStore>("ending-parent").await.unwrap();
    let child = bench.get::<HookedStore>("ending-child").await.unwrap();
    let other = bench.get::<NoteStore>("other").await.unwrap();
    parent.commit(written(1)).unwrap();
    child.commit(written(1)).unwrap();
    other.commit(written(1)).unwrap();
    fake.hang(&["ending-child"]);
    let shutdown = bench.shutdown(Duration::from_secs(5));
    let looks = async {
        until("a push of the others", || fake.received("ending-parent") + fake.received("other") == 2).await;
        // What has nothing to wait for is closed before the deadline.
        until("the other one is closed", || other.query(Note::all()).is_err()).await;
        assert!(parent.query(Note::all()).is_ok(), "a parent is closed after its child");
        bench.advance(5).await;
    };
    let (report, ()) = tokio::join!(shutdown, looks);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.unsent(), ended(&report.stores, "ending-child").unsent), (1, Some(1)));
    let place = |id: &str| report.stores.iter().position(|store| store.name.id().as_str() == id).unwrap();
    assert!(place("other") < place("ending-child") && place("ending-child") < place("ending-parent"), "{report:?}");
}

/// Children by other ways than a `get` that is kept: one that was loaded already, one that is preloaded, one that is let go of.
#[tokio::test]
async fn rule_11_all_that_a_load_got_is_closed_before_it() {
    let bench = Bench::new();
    let children = ["ending-tried", "ending-preloaded", "ending-got"];
    let tried = bench.get::<HookedStore>("ending-tried").await.unwrap();
    on_load_wait("ending-of-all", |_, context| {
        Box::pin(async move {
            drop(context.registry().try_get::<HookedStore>("ending-tried").ok_or("it is loaded")?);
            context.registry().preload::<HookedStore>("ending-preloaded").await?;
            drop(context.registry().get::<HookedStore>("ending-got").await?);
            Ok(())
        })
    });
    let parent = bench.get::<HookedStore>("ending-of-all").await.unwrap();
    let report = bench.shutdown(Duration::from_secs(5)).await;
    let place = |id: &str| report.stores.iter().position(|store| store.name.id().as_str() == id).unwrap();
    assert!(children.iter().all(|child| place(child) < place("ending-of-all")), "{report:?}");
    assert_eq!(report.stores.len(), 4);
    drop((tried, parent));
}

#[tokio::test]
async fn rule_11_a_store_that_cannot_be_closed_cleanly_is_reported_with_the_error() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    let file = bench.stored::<NoteStore>().await.unwrap().remove(0).file;
    // Somebody else reads the file, so that the last checkpoint cannot be made.
    let reader = rusqlite::Connection::open(&file).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM notes").unwrap();
    handle.commit(written(2)).unwrap();
    let report = bench.shutdown(Duration::from_secs(5)).await;
    assert!(!report.is_clean());
    let end = &ended(&report.stores, "n").ended;
    assert!(matches!(end, StoreEnd::Failed(StoreError::Stopped { .. })), "{end:?}");
}

#[tokio::test]
async fn rule_11_a_store_that_is_not_closed_a_second_after_the_deadline_is_unfinished() {
    let bench = Bench::with(anywhere);
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    let reading = Reading::begin(handle);
    let shutdown = bench.shutdown(Duration::from_secs(5));
    // Its second has passed before it begins to close.
    bench.advance(6).await;
    let report = shutdown.await;
    assert_eq!(ended(&report.stores, "n").ended, StoreEnd::Unfinished);
    assert!(!report.is_clean());
    reading.end();
    bench.settle().await;
    assert!(bench.stats().stores.is_empty(), "closing goes on in the background");
}

#[tokio::test]
async fn after_a_shutdown_began_nobody_gets_a_store() {
    let fake = Fake::new("wss://one", true);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    fake.hang(&["n"]);
    let mut shutdown = Box::pin(bench.shutdown(Duration::from_secs(5)));
    assert!(poll_once(&mut shutdown).is_pending());
    assert!(bench.try_get::<NoteStore>("n").is_none());
    assert!(matches!(bench.get::<NoteStore>("n").await, Err(LoadError::ShutDown { .. })));
    let (report, ()) = tokio::join!(shutdown, bench.advance(5));
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn a_store_that_only_the_registry_observes_can_be_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", true);
    fake.refuse(true);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit([written(1), written(2)]).unwrap();
    let observed = bench.delete::<NoteStore>("n").forced().await;
    assert!(matches!(observed, Err(DeleteError::Observed { observers: 1, .. })), "{observed:?}");
    drop(handle);
    bench.settle().await;
    assert_eq!(bench.stats_of("note", "n").state, StoreState::Active, "events are unsent");
    let unsent = bench.delete::<NoteStore>("n").await;
    assert!(matches!(unsent, Err(DeleteError::Unsent { events: 2, .. })), "{unsent:?}");
    // A delete that is refused ends nothing: the store is still being sent.
    fake.refuse(false);
    bench.advance(60).await;
    assert_eq!(fake.received("n"), 2);
    fake.refuse(true);
    bench.get::<NoteStore>("n").await.unwrap().commit(written(3)).unwrap();
    bench.settle().await;
    let deleted = bench.delete::<NoteStore>("n").forced().await;
    assert!(matches!(deleted, Ok(true)), "{deleted:?}");
    bench.advance(120).await;
    assert!(!bench.exists::<NoteStore>("n").await.unwrap());
}

#[tokio::test]
async fn a_deleted_store_leaves_nothing_of_a_rebuild_that_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    bench.get::<NoteStore>("n").await.unwrap().commit(written(1)).unwrap();
    bench.clear().await.unwrap();
    let file = bench.stored::<NoteStore>().await.unwrap().remove(0).file;
    for ending in [".new", ".new-wal", ".new-shm"] {
        let mut path = file.clone().into_os_string();
        path.push(ending);
        std::fs::write(path, b"half a file").unwrap();
    }
    assert!(bench.delete::<NoteStore>("n").await.unwrap());
    let left: Vec<_> = std::fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Damages the eventlog by another connection, so that the next look at its first row stops the store.
fn damage(file: &std::path::Path) {
    let other = rusqlite::Connection::open(file).unwrap();
    other.execute("UPDATE larder_events SET args = '{}'", []).unwrap();
}

#[tokio::test]
async fn rule_08_a_store_that_stops_during_on_load_is_handed_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    bench.get::<HookedStore>("ending-stops").await.unwrap().commit(written(1)).unwrap();
    bench.clear().await.unwrap();
    let file = bench.stored::<HookedStore>().await.unwrap().remove(0).file;
    on_load_run("ending-stops", move |store, _| {
        damage(&file);
        let mut events = store.events(larder::EventNumber::ZERO);
        let found = poll_once(&mut Box::pin(events.next()));
        assert!(matches!(found, std::task::Poll::Ready(Some(Err(_)))), "{found:?}");
    });
    let got = bench.get::<HookedStore>("ending-stops").await;
    let Err(error @ LoadError::Storage { .. }) = got else { panic!("{got:?}") };
    assert!(error.to_string().contains("damaged") && error.to_string().contains(".db"), "{error}");
    bench.settle().await;
    assert!(bench.stats().stores.is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn rule_08_a_store_whose_disk_is_gone_leaves_the_registry() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    bench.advance(3).await;
    std::fs::remove_dir_all(dir.path().join("stores")).unwrap();
    // A reader is opened anew after the quiet time, and finds no file.
    let query = handle.query(Note::all());
    assert!(query.is_err(), "{query:?}");
    bench.settle().await;
    assert!(!bench.has::<NoteStore>("n"));
    let error = handle.query(Note::all()).unwrap_err().to_string();
    assert!(error.contains("gone"), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn rule_11_after_a_shutdown_nothing_of_the_data_dir_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    assert!(bench.shutdown(Duration::from_secs(5)).await.is_clean());
    // Both the registry and a handle are still there.
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let open = open.filter_map(|fd| std::fs::read_link(fd.path()).ok());
    let open: Vec<_> = open.filter(|path| path.starts_with(dir.path())).collect();
    assert!(open.is_empty(), "{open:?}");
    assert!(handle.query(Note::all()).is_err());
}
