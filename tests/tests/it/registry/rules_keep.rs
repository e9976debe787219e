//! The rules on keeping, bounding, closing: 3, 9, 10, 11. Rule 12 is in `watching`, rule 13 in `unsent` and `sending`, rule 14 in `rules_streams`.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use larder::{
    CommitErrorKind, LoadError, OpenFilesLimit, QueryErrorKind, StoreEnd, StoreError, StoreOptions, StoreState,
    prelude::*,
};

use super::{
    fake::{Fake, synced},
    support::*,
};

#[tokio::test]
async fn rule_03_the_longest_gc_time_of_the_period_wins() {
    let bench = Bench::new();
    let long = bench.get::<NoteStore>("n").gc_time(GcTime::seconds(120)).await.unwrap();
    let short = bench.get::<NoteStore>("n").gc_time(GcTime::seconds(30)).await.unwrap();
    drop(long);
    drop(short);
    assert_eq!(bench.deadline("note", "n"), Some(120));
}

#[tokio::test]
async fn rule_03_an_observer_without_a_gc_time_counts_with_the_definitions_or_the_registrys() {
    let bench = Bench::with(|builder| anywhere(builder).defaults(StoreOptions::new().gc_time(GcTime::seconds(90))));
    for (own, inherited) in [(30, 90), (100, 100)] {
        let id = format!("n{own}");
        let with = bench.get::<NoteStore>(&id).gc_time(GcTime::seconds(own)).await.unwrap();
        drop((bench.get::<NoteStore>(&id).await.unwrap(), with));
        assert_eq!(bench.deadline("note", &id), Some(inherited));
    }
    drop(bench.get::<PatientStore>("p").await.unwrap());
    assert_eq!(bench.deadline("patient", "p"), Some(300));
    drop(bench.get::<PatientStore>("q").gc_time(GcTime::seconds(1)).await.unwrap());
    assert_eq!(bench.deadline("patient", "q"), Some(1));
}

#[tokio::test]
async fn rule_03_a_new_observer_stops_the_clock_and_a_restarted_one_never_ends_earlier() {
    let bench = Bench::new();
    drop(bench.get::<NoteStore>("n").gc_time(GcTime::seconds(100)).await.unwrap());
    bench.advance(20).await;
    let handle = bench.get::<NoteStore>("n").gc_time(GcTime::seconds(1)).await.unwrap();
    assert_eq!(bench.deadline("note", "n"), None);
    bench.advance(30).await;
    drop(handle);
    assert_eq!(bench.deadline("note", "n"), Some(50));
    bench.advance(49).await;
    assert!(bench.has::<NoteStore>("n"));
    bench.advance(1).await;
    assert!(!bench.has::<NoteStore>("n"));
}

#[tokio::test]
async fn rule_03_a_preload_is_an_observer_that_leaves_as_soon_as_loading_ends() {
    let bench = Bench::new();
    bench.preload::<NoteStore>("n").gc_time(GcTime::seconds(10)).await.unwrap();
    assert_eq!((bench.stats_of("note", "n").observers, bench.deadline("note", "n")), (0, Some(10)));
    bench.preload::<NoteStore>("m").detach();
    assert!(bench.has::<NoteStore>("m"));
    bench.settle().await;
    assert_eq!((bench.stats_of("note", "m").observers, bench.deadline("note", "m")), (0, Some(60)));
}

#[tokio::test]
async fn rule_03_has_and_a_try_get_that_misses_change_nothing() {
    let bench = Bench::new();
    assert!(!bench.has::<NoteStore>("n"));
    assert!(bench.try_get::<NoteStore>("n").is_none());
    assert!(bench.stats().stores.is_empty());
    drop(bench.get::<NoteStore>("n").await.unwrap());
    bench.advance(10).await;
    assert!(bench.has::<NoteStore>("n"));
    assert_eq!(bench.deadline("note", "n"), Some(50));
    let handle = bench.try_get::<NoteStore>("n").unwrap();
    assert_eq!(bench.deadline("note", "n"), None);
    drop(handle);
    let gate = hold("r03-loading");
    let mut loading = bench.get::<HookedStore>("r03-loading");
    assert!(poll_once(&mut loading).is_pending());
    assert!(bench.try_get::<HookedStore>("r03-loading").is_none());
    assert_eq!(bench.stats_of("hooked", "r03-loading").observers, 1);
    gate.add_permits(1);
    assert!(loading.await.is_ok());
}

#[tokio::test]
async fn rule_03_no_gc_time_panics_or_wraps_and_zero_works() {
    let bench = Bench::new();
    for gc_time in [GcTime::NEVER, Duration::MAX.into(), GcTime::minutes(u64::MAX), GcTime::seconds(u64::MAX)] {
        let handle = bench.get::<NoteStore>("n").gc_time(gc_time).await.unwrap();
        drop(handle);
        bench.clock().advance(Duration::from_secs(3_000_000_000)).await;
        assert!(bench.has::<NoteStore>("n"), "{gc_time:?}");
        bench.evict::<NoteStore>("n").await.unwrap();
    }
    drop(bench.get::<NoteStore>("n").gc_time(GcTime::ZERO).await.unwrap());
    assert!(!bench.has::<NoteStore>("n"));
}

#[tokio::test]
async fn rule_09_capacity_closes_the_longest_idle_and_never_an_observed_store() {
    let bench = Bench::with(|builder| anywhere(builder).capacity(3));
    let observed = bench.get::<NoteStore>("observed").await.unwrap();
    drop(bench.get::<NoteStore>("idle-1").await.unwrap());
    bench.advance(1).await;
    drop(bench.get::<NoteStore>("idle-2").await.unwrap());
    bench.advance(1).await;
    bench.log().take();
    let third = bench.get::<NoteStore>("third").await.unwrap();
    let log = bench.log().take();
    assert_eq!(
        log,
        ["evicted note/idle-1 (capacity)", "closed note/idle-1", "loading note/third", "loaded note/third"]
    );
    assert!(bench.has::<NoteStore>("idle-2"));
    let fourth = bench.get::<NoteStore>("fourth").await.unwrap();
    let Err(LoadError::TooManyOpenFiles { store, limit }) = bench.get::<NoteStore>("fifth").await else {
        panic!("a fifth store got a place")
    };
    assert_eq!(store.to_string(), "note/fifth");
    let OpenFilesLimit::Capacity { observed: count, capacity } = limit else { panic!("{limit:?}") };
    assert_eq!((count, capacity), (3, 3));
    drop(third);
    assert!(bench.get::<NoteStore>("fifth").await.is_ok());
    assert!(observed.commit(written(1)).is_ok() && fourth.commit(written(1)).is_ok());
}

#[tokio::test]
async fn rule_09_loads_that_wait_for_a_place_get_one_each() {
    let bench = Bench::with(|builder| anywhere(builder).capacity(4));
    for id in 0..40 {
        drop(bench.get::<NoteStore>(format!("n{id}")).await.unwrap());
        bench.clock().advance(Duration::from_millis(1)).await;
    }
    let gets: Vec<_> = (100..104).map(|id| bench.get::<NoteStore>(format!("n{id}"))).collect();
    let handles = join_all(gets).await;
    assert!(handles.iter().all(Result::is_ok));
    assert_eq!(bench.stats().count(StoreState::Active), 4);
    assert_eq!(bench.stats().stores.len(), 4);
}

#[tokio::test]
async fn rule_09_the_default_capacity_fits_the_limit_of_open_files() {
    let dir = tempfile::tempdir().unwrap();
    let registry = StoreRegistry::builder().data_dir(dir.path()).build().unwrap();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let files: usize = line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX);
    let capacity = registry.stats().capacity;
    // No more than four files a store, and no fewer stores than with twelve; more than 65,536 are never needed.
    assert!(capacity <= files / 4 && capacity >= (files / 12).min(65_536), "{capacity} stores for {files} files");
}

#[tokio::test]
async fn rule_10_dropping_the_registry_closes_all() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    let _gate = hold("r10");
    let mut loading = bench.get::<HookedStore>("r10");
    assert!(poll_once(&mut loading).is_pending());
    bench.settle().await;
    let (clock, registry) = bench.into_parts();
    let clone = registry.clone();
    drop(registry);
    assert!(handle.commit(written(1)).is_ok());
    drop(clone);
    let closed = StoreError::Closed { store: handle.name().clone() };
    assert!(matches!(handle.commit(written(2)).unwrap_err().kind(), CommitErrorKind::Store(error) if *error == closed));
    assert!(matches!(loading.await, Err(LoadError::ShutDown { .. })));
    clock.settle().await;
    let again = StoreRegistry::builder().data_dir(dir.path()).build().unwrap();
    assert_eq!(again.get::<NoteStore>("n").await.unwrap().query(Note::all()).unwrap().len(), 1);
    again.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn rule_10_timers_hold_no_store_and_idle_stores_have_no_task() {
    let bench = Bench::new();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let handles: Vec<_> = join_all((0..50).map(|id| bench.get::<NoteStore>(format!("n{id}")))).await;
    bench.advance(5).await;
    assert_eq!(tasks(), before, "a loaded store has a task");
    drop(handles);
    bench.advance(5).await;
    assert_eq!(tasks(), before, "an idle store has a task");
    bench.advance(60).await;
    assert!(bench.stats().stores.is_empty());
}

/// What a store was given is let go of with it: nothing that waits for a later time has it.
#[tokio::test]
async fn rule_10_an_evicted_store_is_let_go_of_while_the_timer_sleeps() {
    let bench = Bench::new();
    let backend = Fake::new("wss://one", true);
    let owners = || Arc::strong_count(&backend);
    let before = owners();
    // Another store's clock runs, so the timer has something to wait for.
    drop(bench.get::<NoteStore>("other").await.unwrap());
    let handle = bench.get::<NoteStore>("n").options(synced(&backend)).await.unwrap();
    bench.advance(3).await;
    assert!(owners() > before);
    bench.evict::<NoteStore>("n").await.unwrap();
    drop(handle);
    bench.settle().await;
    assert_eq!(owners(), before, "the store is gone, and something has it");
}

#[tokio::test]
async fn rule_10_a_dropped_registry_leaves_no_task_and_no_open_file() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    // A clock runs, so the timer has something to wait for.
    drop(bench.get::<NoteStore>("n").await.unwrap());
    let (clock, registry) = bench.into_parts();
    drop(registry);
    clock.settle().await;
    assert_eq!(tasks(), before, "the registry is gone and its timer is not");
    let left = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = left.filter(|name| name.ends_with("-wal")).collect();
    assert!(left.is_empty(), "{left:?} are open");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn rule_10_an_idle_store_has_one_connection() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    handle.query(Note::all()).unwrap();
    let mut wal = bench.stored::<NoteStore>().await.unwrap().remove(0).file.into_os_string();
    wal.push("-wal");
    // Every connection has the `-wal` open once; SQLite keeps descriptors of the file itself for later connections.
    let connections = || {
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        open.filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|path| path == wal)).count()
    };
    assert_eq!(connections(), 2, "a writer and a reader");
    bench.advance(3).await;
    assert_eq!(connections(), 1);
    assert_eq!(handle.query(Note::all()).unwrap().len(), 1);
    assert_eq!(connections(), 2);
    bench.advance(3).await;
    assert_eq!(connections(), 1);
    // The connection that has written is not the one that is left; commits go on with that.
    handle.commit(written(2)).unwrap();
    assert_eq!(handle.query(Note::all()).unwrap().len(), 2);
}

#[tokio::test]
async fn rule_11_shutdown_closes_children_before_parents_and_reports_each_store() {
    let bench = Bench::new();
    on_load("r11-parent", Hook::Children(vec!["r11-child".to_owned()]));
    let parent = bench.get::<HookedStore>("r11-parent").await.unwrap();
    let note = bench.get::<NoteStore>("note").await.unwrap();
    let _gate = hold("r11-loading");
    let mut loading = bench.get::<HookedStore>("r11-loading");
    assert!(poll_once(&mut loading).is_pending());
    bench.settle().await;
    bench.log().take();
    let report = bench.shutdown(Duration::from_secs(5)).await;
    assert!(report.is_clean() && report.unsent() == 0);
    let mut ended: Vec<_> = report.stores.iter().map(|store| (store.name.to_string(), store.ended.clone())).collect();
    ended.sort_by(|one, two| one.0.cmp(&two.0));
    let closed = |name: &str| (name.to_owned(), StoreEnd::Closed);
    assert_eq!(
        ended,
        [
            closed("hooked/r11-child"),
            ("hooked/r11-loading".to_owned(), StoreEnd::Cancelled),
            closed("hooked/r11-parent"),
            closed("note/note")
        ]
    );
    let log = bench.log().take();
    let place =
        |line: &str| log.iter().position(|found| found == line).unwrap_or_else(|| panic!("no `{line}`: {log:?}"));
    assert!(place("closed hooked/r11-child") < place("evicted hooked/r11-parent (shutdown)"), "{log:?}");
    assert!(matches!(loading.await, Err(LoadError::ShutDown { .. })));
    assert!(matches!(bench.get::<NoteStore>("note").await, Err(LoadError::ShutDown { .. })));
    assert!(matches!(note.commit(written(1)).unwrap_err().kind(), CommitErrorKind::Store(StoreError::Closed { .. })));
    drop(parent);
}

#[tokio::test]
async fn rule_11_clear_evicts_all_and_the_registry_goes_on() {
    let bench = Bench::new();
    let old = bench.get::<NoteStore>("n").await.unwrap();
    bench.clear().await.unwrap();
    let gone = old.query(Note::all()).unwrap_err();
    assert!(matches!(gone.kind(), QueryErrorKind::Store(StoreError::Evicted { .. })), "{gone}");
    assert!(bench.get::<NoteStore>("n").await.is_ok());
}

#[tokio::test]
async fn rule_03_a_preload_of_a_loaded_store_runs_nothing_and_starts_its_clock_anew() {
    let bench = Bench::new();
    drop(bench.get::<NoteStore>("n").await.unwrap());
    bench.advance(50).await;
    assert_eq!(bench.deadline("note", "n"), Some(10));
    bench.preload::<NoteStore>("n").await.unwrap();
    assert_eq!(bench.deadline("note", "n"), Some(60));
    assert_eq!(bench.stats().loads, 1);
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    bench.preload::<NoteStore>("n").gc_time(GcTime::ZERO).detach();
    assert_eq!(bench.stats_of("note", "n").observers, 1);
    assert!(handle.commit(written(1)).is_ok());
}
