//! Rule 13 against a backend that refuses, hangs, comes and goes: closed stores are sent a few at a time, and nothing piles up.

use std::{sync::Arc, time::Duration};

use larder::{Durability, LoadError, StoreOptions, StoreState};

use super::{
    fake::{Fake, synced},
    support::*,
};

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

fn ids(count: u32) -> Vec<String> {
    (0..count).map(|at| format!("n{at:02}")).collect()
}

/// Stores with one unsent event each, closed while there is no connection.
async fn closed(bench: &Bench, ids: &[String]) {
    for id in ids {
        bench.get::<NoteStore>(id).await.unwrap().commit(written(1)).unwrap();
    }
    bench.clear().await.unwrap();
    bench.log().take();
}

/// The most stores that were open at the same time, by the log.
fn most_open(log: &[String]) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for line in log {
        if line.starts_with("loading ") {
            open += 1;
        } else if line.starts_with("closed ") || line.starts_with("load failed ") {
            open -= 1;
        }
        most = most.max(open);
    }
    most
}

#[tokio::test]
async fn rule_13_refused_stores_are_closed_again_and_take_nobodys_place() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).capacity(4).defaults(synced(&fake)));
    closed(&bench, &ids(12)).await;
    fake.refuse(true);
    fake.connect(true);
    bench.settle().await;
    let log = bench.log().take();
    assert_eq!(log.iter().filter(|line| line.starts_with("loaded ")).count(), 12, "{log:?}");
    assert!(most_open(&log) <= 4, "{} open at the same time", most_open(&log));
    assert!(bench.stats().stores.is_empty(), "a store that nobody observes stays loaded: {:?}", bench.stats().stores);
    let handles = ["a", "b", "c", "d"].map(|id| bench.get::<NoteStore>(id));
    for handle in futures_util::future::join_all(handles).await {
        assert!(handle.is_ok(), "{handle:?}");
    }
    // What is refused while there is a connection is tried again.
    fake.refuse(false);
    bench.advance(60).await;
    assert_eq!(fake.received_of_all(), 12);
}

#[tokio::test]
async fn rule_13_a_store_that_only_the_registry_has_open_gives_way_to_one_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).capacity(4).defaults(synced(&fake)));
    let ids = ids(6);
    closed(&bench, &ids).await;
    let hanging: Vec<&str> = ids.iter().map(String::as_str).collect();
    fake.hang(&hanging);
    fake.connect(true);
    bench.settle().await;
    assert_eq!(fake.running(), 4);
    let mine = bench.get::<NoteStore>("mine").await;
    assert!(mine.is_ok(), "{mine:?}");
    fake.hang(&[]);
    bench.advance(60).await;
    assert_eq!(fake.received_of_all(), 6);
    assert!(fake.most() <= 4);
}

#[tokio::test]
async fn rule_13_a_store_that_is_deleted_before_it_is_sent_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    let ids = ids(6);
    closed(&bench, &ids).await;
    fake.hang(&["n00", "n01", "n02", "n03"]);
    fake.connect(true);
    bench.settle().await;
    assert!(bench.delete::<NoteStore>("n05").forced().await.unwrap());
    // Removed by hand, which the catalog does not know.
    let gone =
        bench.stored::<NoteStore>().await.unwrap().into_iter().find(|stored| stored.id.as_str() == "n04").unwrap();
    for ending in ["", ".lock"] {
        let mut path = gone.file.clone().into_os_string();
        path.push(ending);
        std::fs::remove_file(path).unwrap();
    }
    fake.hang(&[]);
    bench.settle().await;
    for id in ["n04", "n05"] {
        assert!(!bench.exists::<NoteStore>(id).await.unwrap(), "{id} is there again");
    }
    bench.log().take();
    fake.connect(false);
    bench.settle().await;
    fake.connect(true);
    bench.settle().await;
    assert_eq!(bench.log().take(), Vec::<String>::new(), "what is gone is not looked for again");
}

#[tokio::test]
async fn rule_13_a_connection_that_comes_during_the_last_drop_is_not_missed() {
    for gc_time in [60, 0] {
        let dir = tempfile::tempdir().unwrap();
        let fake = Fake::new("wss://one", false);
        let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
        let handle = bench.get::<NoteStore>("n").gc_time(larder::GcTime::seconds(gc_time)).await.unwrap();
        handle.commit(written(1)).unwrap();
        bench.settle().await;
        let (asked, is_asked) = std::sync::mpsc::channel();
        let (go, gone) = std::sync::mpsc::channel();
        fake.answer_once(move || {
            asked.send(()).unwrap();
            gone.recv().unwrap();
            false
        });
        let dropping = std::thread::spawn(move || drop(handle));
        is_asked.recv().unwrap();
        // The registry hears of the connection while the drop still believes that there is none.
        fake.connect(true);
        bench.settle().await;
        go.send(()).unwrap();
        dropping.join().unwrap();
        bench.settle().await;
        assert_eq!(fake.received("n"), 1, "with a gc time of {gc_time} s");
    }
}

#[tokio::test]
async fn rule_13_a_store_that_is_closing_when_the_connection_comes_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    let reading = Reading::begin(handle);
    drop(bench.evict::<NoteStore>("n"));
    assert_eq!(bench.stats_of("note", "n").state, StoreState::Closing);
    fake.connect(true);
    for _ in 0..10_000 {
        std::thread::yield_now();
        tokio::task::yield_now().await;
    }
    reading.end();
    bench.settle().await;
    assert_eq!(fake.received("n"), 1);
    assert!(bench.stats().stores.is_empty());
}

#[test]
fn rule_13_a_commit_that_lands_after_the_last_handle_is_sent() {
    // One blocking thread, so that the commit waits until the test lets it go on.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let fake = Fake::new("wss://one", true);
        let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
        let handle = bench.get::<NoteStore>("n").await.unwrap();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let occupied = tokio::task::spawn_blocking(move || gone.recv());
        let mut commit = handle.commit_async(written(1));
        assert!(poll_once(&mut commit).is_pending());
        drop((commit, handle));
        go.send(()).unwrap();
        occupied.await.unwrap().unwrap();
        bench.settle().await;
        assert_eq!(fake.received("n"), 1);
        assert_eq!(bench.stats_of("note", "n").state, StoreState::Inactive);
    });
}

#[tokio::test]
async fn rule_13_a_connection_that_flaps_adds_no_pushes_and_no_tasks() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    closed(&bench, &ids(12)).await;
    let handle = bench.get::<NoteStore>("mine").await.unwrap();
    handle.commit(written(1)).unwrap();
    drop(handle);
    let all: Vec<String> = ids(12).into_iter().chain(["mine".to_owned()]).collect();
    fake.hang(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let mut after_the_first = None;
    for _ in 0..10 {
        fake.connect(true);
        bench.settle().await;
        let first = *after_the_first.get_or_insert(tasks());
        assert!(tasks() <= first, "{} tasks, {first} after the first connection", tasks());
        assert!(fake.running() <= 5, "{} pushes of five open stores", fake.running());
        fake.connect(false);
        bench.settle().await;
    }
    fake.hang(&[]);
    fake.connect(true);
    bench.advance(60).await;
    assert_eq!(fake.received_of_all(), 13);
}

#[tokio::test]
async fn another_backend_of_a_loaded_store_is_a_conflict() {
    let bench = Bench::new();
    let (one, two) = (Fake::new("wss://one", false), Fake::new("wss://two", false));
    let _handle = bench.get::<NoteStore>("n").options(synced(&one)).await.unwrap();
    assert!(bench.get::<NoteStore>("n").options(synced(&one)).await.is_ok());
    let other = bench.get::<NoteStore>("n").options(synced(&two)).await;
    assert!(matches!(other, Err(LoadError::OptionsConflict { option: "sync", .. })), "{other:?}");
    let renamed = bench.get::<NoteStore>("n").options(StoreOptions::new().sync_id(|id| format!("x-{id}"))).await;
    assert!(matches!(renamed, Err(LoadError::OptionsConflict { option: "sync_id", .. })), "{renamed:?}");
}

#[tokio::test]
async fn backends_that_nobody_uses_any_more_are_let_go() {
    let bench = Bench::new();
    let before = tasks();
    let mut backends = Vec::new();
    for _ in 0..20 {
        let fake = Fake::new("wss://one", false);
        drop(bench.get::<NoteStore>("n").options(synced(&fake)).await.unwrap());
        bench.evict::<NoteStore>("n").await.unwrap();
        bench.settle().await;
        backends.push(Arc::downgrade(&fake));
    }
    let held = backends.iter().filter(|backend| backend.strong_count() > 0).count();
    assert_eq!(held, 0, "the registry holds {held} backends of stores that are closed");
    // The task of the last one ends when another backend comes.
    assert!(tasks() <= before + 2, "{} tasks more", tasks() - before);
}

#[tokio::test]
async fn options_are_compared_with_those_of_callers_and_never_with_the_registrys_own_load() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).capacity(1).defaults(synced(&fake)));
    let calls = Arc::default();
    on_load("sending-own", Hook::Count(Arc::clone(&calls)));
    bench.get::<HookedStore>("sending-own").await.unwrap().commit(written(1)).unwrap();
    bench.clear().await.unwrap();
    // The one place is taken by a store that cannot be closed yet, so the registry's own load waits.
    let reading = Reading::begin(bench.get::<NoteStore>("closing").await.unwrap());
    drop(bench.evict::<NoteStore>("closing"));
    fake.connect(true);
    until("the registry's own load", || bench.store("hooked", "sending-own").is_some()).await;
    let call = StoreOptions::new().durability(Durability::Power);
    let mut get = bench.get::<HookedStore>("sending-own").options(call);
    let asked = poll_once(&mut get);
    assert!(asked.is_pending(), "{asked:?}");
    reading.end();
    let handle = get.await.unwrap();
    assert_eq!(calls.lock().unwrap().len(), 2);
    drop(handle);
    bench.settle().await;
    assert_eq!(fake.received("sending-own"), 1);
}

#[tokio::test]
async fn a_closed_store_is_sent_as_it_was_when_it_was_open_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (Fake::new("wss://one", false), Fake::new("wss://two", false));
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&one)));
    let renamed = StoreOptions::new().sync_id(|id| format!("wire-{id}"));
    for (id, options) in [("renamed", renamed), ("elsewhere", synced(&two)), ("plain", StoreOptions::new())] {
        let handle = bench.get::<NoteStore>(id).options(options).await.unwrap();
        handle.commit(written(1)).unwrap();
    }
    bench.clear().await.unwrap();
    bench.settle().await;
    one.connect(true);
    bench.settle().await;
    assert_eq!((one.received("wire-renamed"), one.received("renamed")), (1, 0));
    assert_eq!((one.received("plain"), one.received("elsewhere")), (1, 0));
    two.connect(true);
    bench.settle().await;
    assert_eq!((one.received("elsewhere"), two.received("elsewhere")), (0, 1));

    // A backend that is not there any more cannot be had again, so the store waits until somebody opens it with one.
    let gone = Fake::new("wss://gone", false);
    let handle = bench.get::<NoteStore>("orphan").options(synced(&gone)).await.unwrap();
    handle.commit(written(1)).unwrap();
    drop((handle, gone));
    bench.clear().await.unwrap();
    one.connect(false);
    bench.settle().await;
    one.connect(true);
    bench.advance(120).await;
    assert_eq!(one.received("orphan"), 0);
    let stored = bench.stored::<NoteStore>().await.unwrap();
    assert_eq!(stored.iter().find(|stored| stored.id.as_str() == "orphan").unwrap().unsent, Some(1));
}

#[tokio::test]
async fn a_registry_that_ends_while_a_push_hangs_leaves_no_task() {
    let dir = tempfile::tempdir().unwrap();
    let before = tasks();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    closed(&bench, &ids(2)).await;
    fake.hang(&["n00", "n01"]);
    fake.connect(true);
    bench.settle().await;
    assert_eq!(fake.running(), 2);
    let (clock, registry) = bench.into_parts();
    let report = registry.shutdown(Duration::ZERO);
    let (report, ()) = tokio::join!(report, clock.advance(Duration::from_secs(1)));
    assert_eq!(report.unsent(), 2, "{report:?}");
    drop(registry);
    clock.settle().await;
    assert_eq!((fake.running(), tasks()), (0, before));
}
