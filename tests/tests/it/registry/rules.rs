//! The fourteen rules, one to twelve and fourteen. Rule 13 has a file of its own.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, future::join_all};
use larder::{CommitErrorKind, LoadError, QueryError, StoreEnd, StoreError, StoreOptions, StoreState, prelude::*};
use tokio_util::sync::CancellationToken;

use super::support::*;

#[tokio::test]
async fn rule_01_one_load_however_many_ask_and_all_get_the_same_store() {
    let bench = Bench::new();
    let handles = join_all((0..10).map(|_| bench.get::<NoteStore>("one"))).await;
    let handles: Vec<_> = handles.into_iter().map(Result::unwrap).collect();
    assert_eq!(bench.log().take(), ["loading note/one", "loaded note/one"]);
    handles[0].commit(written(1)).unwrap();
    assert_eq!(handles[9].query(Note::all()).unwrap().len(), 1);
    assert!(std::ptr::eq::<Store<NoteStore>>(&*handles[0], &*handles[9]));
}

#[tokio::test]
async fn rule_01_all_get_the_same_error_and_the_next_get_tries_again() {
    let bench = Bench::new();
    on_load("r01-fails", Hook::Fail);
    let results = join_all((0..3).map(|_| bench.get::<HookedStore>("r01-fails"))).await;
    let sources: Vec<_> = results
        .into_iter()
        .map(|result| match result {
            Err(LoadError::OnLoad { store, source }) => (store.to_string(), source),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sources[0].0, "hooked/r01-fails");
    assert!(Arc::ptr_eq(&sources[0].1, &sources[2].1));
    assert_eq!(bench.log().take(), ["loading hooked/r01-fails", "load failed hooked/r01-fails"]);
    assert!(!bench.has::<HookedStore>("r01-fails"));
    on_load("r01-fails", Hook::Count(Arc::default()));
    assert!(bench.get::<HookedStore>("r01-fails").await.is_ok());
}

#[tokio::test]
async fn rule_02_a_waiter_is_an_observer_from_its_first_poll() {
    let bench = Bench::with(|builder| builder.in_memory().defaults(StoreOptions::new().gc_time(GcTime::ZERO)));
    let gate = hold("r02");
    let mut get = bench.get::<HookedStore>("r02");
    assert!(!bench.has::<HookedStore>("r02"));
    assert!(poll_once(&mut get).is_pending());
    assert_eq!(bench.stats_of("hooked", "r02").observers, 1);
    bench.settle().await;
    gate.add_permits(1);
    bench.settle().await;
    // Loaded, and nobody has taken the handle yet: without a gap it would be gone, with a gc time of zero.
    assert_eq!(bench.stats_of("hooked", "r02").state, StoreState::Active);
    assert_eq!(bench.stats_of("hooked", "r02").observers, 1);
    let handle = get.await.unwrap();
    assert_eq!(bench.stats_of("hooked", "r02").observers, 1);
    drop(handle);
    bench.settle().await;
    assert!(!bench.has::<HookedStore>("r02"));
}

#[tokio::test]
async fn rule_02_a_waiter_that_is_dropped_after_the_load_is_one_observer_less() {
    let bench = Bench::new();
    let gate = hold("r02-dropped");
    let mut get = bench.get::<HookedStore>("r02-dropped");
    assert!(poll_once(&mut get).is_pending());
    bench.settle().await;
    gate.add_permits(1);
    bench.settle().await;
    drop(get);
    assert_eq!(bench.stats_of("hooked", "r02-dropped").state, StoreState::Inactive);
    assert_eq!(bench.deadline("hooked", "r02-dropped"), Some(60));
}

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
    let bench = Bench::with(|builder| builder.in_memory().defaults(StoreOptions::new().gc_time(GcTime::seconds(90))));
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
async fn rule_04_a_handle_belongs_to_the_load_it_came_from() {
    let bench = Bench::new();
    let old = bench.get::<NoteStore>("n").await.unwrap();
    let older = old.clone();
    let evicted = bench.evict::<NoteStore>("n");
    let new = bench.get::<NoteStore>("n").await.unwrap();
    evicted.await.unwrap();
    let gone = StoreError::Evicted { store: old.name().clone() };
    assert!(matches!(old.commit(written(1)).unwrap_err().kind(), CommitErrorKind::Store(error) if *error == gone));
    assert_eq!(old.query(Note::all()), Err(QueryError::Store(gone)));
    new.commit(written(1)).unwrap();
    assert_eq!(bench.stats_of("note", "n").observers, 1);
    drop((old, older));
    assert_eq!((bench.stats_of("note", "n").observers, bench.stats_of("note", "n").state), (1, StoreState::Active));
    bench.advance(1_000).await;
    assert_eq!(new.query(Note::all()).unwrap().len(), 1);
}

#[tokio::test]
async fn rule_05_a_load_is_cancelled_when_its_last_waiter_leaves_never_by_one_of_several() {
    let bench = Bench::new();
    let gate = hold("r05");
    let mut one = bench.get::<HookedStore>("r05");
    let mut two = bench.get::<HookedStore>("r05");
    assert!(poll_once(&mut one).is_pending() && poll_once(&mut two).is_pending());
    bench.settle().await;
    drop(one);
    bench.settle().await;
    assert_eq!(bench.stats_of("hooked", "r05").state, StoreState::Loading);
    drop(two);
    bench.settle().await;
    assert_eq!(bench.log().take(), ["loading hooked/r05", "load failed hooked/r05"]);
    assert!(bench.stats().stores.is_empty());
    gate.add_permits(1);
    assert!(bench.get::<HookedStore>("r05").await.is_ok());
}

#[tokio::test]
async fn rule_05_evict_cancels_a_load_for_all_who_wait() {
    let bench = Bench::new();
    let _gate = hold("r05-evicted");
    let mut get = bench.get::<HookedStore>("r05-evicted");
    assert!(poll_once(&mut get).is_pending());
    bench.settle().await;
    let evicted = bench.evict::<HookedStore>("r05-evicted");
    assert!(matches!(get.now_or_never(), Some(Err(LoadError::Cancelled { .. }))));
    evicted.await.unwrap();
    assert!(bench.stats().stores.is_empty());
}

#[tokio::test]
async fn rule_05_a_cancelled_load_closes_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    let _gate = hold("r05-file");
    let mut get = bench.get::<HookedStore>("r05-file");
    assert!(poll_once(&mut get).is_pending());
    bench.settle().await;
    drop(get);
    bench.settle().await;
    on_load("r05-file", Hook::Count(Arc::default()));
    // Another registry can open it only if this one has let go of it.
    let other = StoreRegistry::builder().data_dir(dir.path()).build().unwrap();
    assert!(other.get::<HookedStore>("r05-file").await.is_ok());
    other.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn rule_05_a_token_stops_one_preload_and_not_the_load_that_others_wait_for() {
    let bench = Bench::new();
    let gate = hold("r05-token");
    let token = CancellationToken::new();
    let mut preload = bench.preload::<HookedStore>("r05-token").cancelled_by(token.clone());
    let mut get = bench.get::<HookedStore>("r05-token");
    assert!(poll_once(&mut preload).is_pending() && poll_once(&mut get).is_pending());
    token.cancel();
    assert!(matches!(preload.await, Err(LoadError::Cancelled { .. })));
    gate.add_permits(1);
    assert!(get.await.is_ok());

    let alone = CancellationToken::new();
    bench.evict::<HookedStore>("r05-token").await.unwrap();
    bench.preload::<HookedStore>("r05-token").cancelled_by(alone.clone()).detach();
    bench.settle().await;
    assert_eq!(bench.stats_of("hooked", "r05-token").state, StoreState::Loading);
    alone.cancel();
    bench.settle().await;
    assert!(!bench.has::<HookedStore>("r05-token"));
}

#[tokio::test]
async fn rule_06_a_store_is_closed_before_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    for turn in 0..20 {
        let handle = bench.get::<NoteStore>("n").await.unwrap();
        handle.commit(written(turn)).unwrap();
        // Not awaited: the next `get` waits for the closing by itself, and never meets the lock.
        drop(bench.evict::<NoteStore>("n"));
    }
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    assert_eq!(handle.query(Note::all()).unwrap().len(), 20);
    let log = bench.log().take();
    let turn = ["loading note/n", "loaded note/n", "evicted note/n (evict)", "closed note/n"];
    let without_commits: Vec<_> = log.iter().filter(|line| !line.starts_with("committed")).collect();
    assert_eq!(without_commits[..8], [turn, turn].concat());
}

#[tokio::test]
async fn rule_06_evict_and_clear_take_effect_at_the_call() {
    let bench = Bench::new();
    let one = bench.get::<NoteStore>("one").await.unwrap();
    let two = bench.get::<NoteStore>("two").await.unwrap();
    let evicted = bench.evict::<NoteStore>("one");
    assert!(one.commit(written(1)).is_err());
    assert!(!bench.has::<NoteStore>("one"));
    let cleared = bench.clear();
    assert!(two.commit(written(1)).is_err());
    assert!(!bench.has::<NoteStore>("two"));
    evicted.await.unwrap();
    cleared.await.unwrap();
    assert!(bench.stats().stores.is_empty());
    assert!(bench.get::<NoteStore>("two").await.is_ok());
    bench.evict::<NoteStore>("never loaded").await.unwrap();
}

#[tokio::test]
async fn rule_07_on_load_runs_once_per_load_before_anyone_gets_the_store() {
    let bench = Bench::new();
    let calls = Arc::default();
    on_load("r07", Hook::Count(Arc::clone(&calls)));
    drop(join_all((0..3).map(|_| bench.get::<HookedStore>("r07"))).await);
    assert_eq!(calls.lock().unwrap().len(), 1);
    bench.advance(60).await;
    drop(bench.get::<HookedStore>("r07").await);
    assert_eq!(calls.lock().unwrap().len(), 2);

    let _gate = hold("r07-held");
    let mut get = bench.get::<HookedStore>("r07-held");
    assert!(poll_once(&mut get).is_pending());
    bench.settle().await;
    assert!(bench.try_get::<HookedStore>("r07-held").is_none());
    assert!(poll_once(&mut get).is_pending());
}

#[tokio::test]
async fn rule_07_a_panic_of_on_load_fails_the_load_for_all_waiters() {
    let bench = Bench::new();
    on_load("r07-panics", Hook::Panic);
    let results = join_all((0..2).map(|_| bench.get::<HookedStore>("r07-panics"))).await;
    for result in results {
        assert!(matches!(result, Err(LoadError::Panicked { message, .. }) if message == "the hook panics"));
    }
    assert!(bench.stats().stores.is_empty());
}

#[tokio::test]
async fn rule_07_a_kept_child_stays_loaded_as_long_as_its_parent() {
    let bench = Bench::new();
    on_load("r07-parent", Hook::Children(vec!["r07-child".to_owned()]));
    let parent = bench.get::<HookedStore>("r07-parent").await.unwrap();
    bench.advance(10_000).await;
    assert_eq!(bench.stats_of("hooked", "r07-child").observers, 1);
    drop(parent);
    bench.advance(60).await;
    assert!(!bench.has::<HookedStore>("r07-parent"));
    assert_eq!(bench.stats_of("hooked", "r07-child").observers, 0);
    bench.advance(60).await;
    assert!(!bench.has::<HookedStore>("r07-child"));
}

#[tokio::test]
async fn rule_07_a_get_that_would_wait_for_itself_names_the_chain() {
    let bench = Bench::new();
    on_load("r07-a", Hook::Children(vec!["r07-b".to_owned()]));
    on_load("r07-b", Hook::Children(vec!["r07-c".to_owned()]));
    on_load("r07-c", Hook::Children(vec!["r07-a".to_owned()]));
    let Err(LoadError::OnLoad { source, .. }) = bench.get::<HookedStore>("r07-a").await else { panic!() };
    let mut deepest: &dyn std::error::Error = &*source;
    while let Some(next) = deepest.source() {
        deepest = next;
    }
    let told = "loading would wait for itself: hooked/r07-a -> hooked/r07-b -> hooked/r07-c -> hooked/r07-a; load one of them later";
    assert_eq!(deepest.to_string(), told);
    on_load("r07-self", Hook::Children(vec!["r07-self".to_owned()]));
    assert!(matches!(bench.get::<HookedStore>("r07-self").await, Err(LoadError::OnLoad { .. })));
    assert!(bench.stats().stores.is_empty());
}

#[tokio::test]
async fn rule_08_a_store_that_stopped_leaves_the_registry_and_its_handles_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    let file = bench.stored::<NoteStore>().await.unwrap().remove(0).file;
    // Another connection damages the eventlog: the next look at the row notices.
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute("UPDATE larder_events SET args = '{}'", []).unwrap();
    drop(other);
    let mut events = handle.events(larder::EventNumber::ZERO);
    let found = events.next().await;
    assert!(matches!(found, Some(Err(_))), "{found:?}");
    bench.settle().await;
    if let Err(QueryError::Store(error)) = handle.query(Note::all()) {
        assert!(matches!(&error, StoreError::Stopped { .. }), "{error:?}");
        assert!(!bench.has::<NoteStore>("n"));
    } else {
        panic!("a store with a damaged eventlog goes on");
    }
}

#[tokio::test]
async fn rule_09_capacity_closes_the_longest_idle_and_never_an_observed_store() {
    let bench = Bench::with(|builder| builder.in_memory().capacity(3));
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
    let Err(LoadError::TooManyOpenFiles { store, observed: count, capacity }) = bench.get::<NoteStore>("fifth").await
    else {
        panic!("a fifth store got a place")
    };
    assert_eq!((store.to_string().as_str(), count, capacity), ("note/fifth", 3, 3));
    drop(third);
    assert!(bench.get::<NoteStore>("fifth").await.is_ok());
    assert!(observed.commit(written(1)).is_ok() && fourth.commit(written(1)).is_ok());
}

#[tokio::test]
async fn rule_09_loads_that_wait_for_a_place_get_one_each() {
    let bench = Bench::with(|builder| builder.in_memory().capacity(4));
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
    assert!(capacity >= 1 && capacity <= files / 4, "{capacity} stores for {files} files");
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
    assert!(matches!(old.query(Note::all()), Err(QueryError::Store(StoreError::Evicted { .. }))));
    assert!(bench.get::<NoteStore>("n").await.is_ok());
}

#[tokio::test]
async fn rule_12_stats_give_every_stores_state_observers_deadline_and_events() {
    let bench = Bench::new();
    let active = bench.get::<NoteStore>("active").await.unwrap();
    active.commit([written(1), written(2)]).unwrap();
    let also = active.clone();
    drop(bench.get::<NoteStore>("inactive").await.unwrap());
    let _gate = hold("r12");
    let mut loading = bench.get::<HookedStore>("r12");
    assert!(poll_once(&mut loading).is_pending());
    bench.settle().await;
    let stats = bench.stats();
    let seen: Vec<_> = stats
        .stores
        .iter()
        .map(|store| (store.name.to_string(), store.state, store.observers, store.gc_deadline, store.events))
        .collect();
    assert_eq!(
        seen,
        [
            ("hooked/r12".to_owned(), StoreState::Loading, 1, None, 0),
            ("note/active".to_owned(), StoreState::Active, 2, None, 2),
            ("note/inactive".to_owned(), StoreState::Inactive, 0, Some(Duration::from_secs(60)), 0),
        ]
    );
    assert_eq!((stats.loads, stats.hits, stats.evictions), (3, 0, 0));
    drop(also);
}

#[tokio::test]
async fn rule_12_watch_gives_the_stats_now_and_after_changes() {
    let bench = Bench::new();
    let mut watch = bench.watch();
    assert!(watch.next().await.unwrap().stores.is_empty());
    assert!(watch.next().now_or_never().is_none());
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    bench.settle().await;
    assert_eq!(watch.next().await.unwrap().store("note", "n").unwrap().observers, 1);
    bench.settle().await;
    while watch.next().now_or_never().is_some() {}
    let clone = handle.clone();
    assert_eq!(watch.next().await.unwrap().store("note", "n").unwrap().observers, 2);
    drop((handle, clone));
    assert_eq!(watch.next().await.unwrap().store("note", "n").unwrap().state, StoreState::Inactive);
    let report = bench.shutdown(Duration::from_secs(1)).await;
    assert!(report.is_clean());
    while let Some(stats) = watch.next().await {
        assert!(stats.stores.len() <= 1);
    }
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
async fn rule_14_receipts_hold_no_observer() {
    let bench = Bench::new();
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    let receipt = handle.commit(written(1)).unwrap();
    drop(handle);
    assert_eq!(bench.stats_of("note", "n").state, StoreState::Inactive);
    drop(receipt);
}
