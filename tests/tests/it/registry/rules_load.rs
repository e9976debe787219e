//! The rules on loading and leaving: 1, 2, 4, 5, 6, 7, 8.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, future::join_all};
use larder::{CommitErrorKind, LoadError, QueryErrorKind, StoreError, StoreOptions, StoreState, prelude::*};
use tokio_util::sync::CancellationToken;

use super::{
    fake::{Fake, synced},
    support::*,
};

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
    let bench = Bench::with(|builder| anywhere(builder).defaults(StoreOptions::new().gc_time(GcTime::ZERO)));
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
async fn rule_04_a_handle_belongs_to_the_load_it_came_from() {
    let bench = Bench::new();
    let old = bench.get::<NoteStore>("n").await.unwrap();
    let older = old.clone();
    let evicted = bench.evict::<NoteStore>("n");
    let new = bench.get::<NoteStore>("n").await.unwrap();
    evicted.await.unwrap();
    let gone = StoreError::Evicted { store: old.name().clone() };
    assert!(matches!(old.commit(written(1)).unwrap_err().kind(), CommitErrorKind::Store(error) if *error == gone));
    assert_eq!(old.query(Note::all()), Err(gone.into()));
    new.commit(written(1)).unwrap();
    assert_eq!(bench.stats_of("note", "n").observers, 1);
    drop((old, older));
    assert_eq!((bench.stats_of("note", "n").observers, bench.stats_of("note", "n").state), (1, StoreState::Active));
    bench.advance(1_000).await;
    assert_eq!(new.query(Note::all()).unwrap().len(), 1);
}

#[tokio::test]
async fn rule_04_closing_an_old_handle_does_not_cancel_the_load_after() {
    let bench = Bench::new();
    let (one, two) = (bench.get::<NoteStore>("n").await.unwrap(), bench.get::<NoteStore>("n").await.unwrap());
    let closed = one.close();
    let mut again = bench.get::<NoteStore>("n");
    assert!(poll_once(&mut again).is_pending());
    let closed_too = two.close();
    let again = again.await;
    assert!(again.is_ok(), "{again:?}");
    assert_eq!((closed.await, closed_too.await), (Ok(()), Ok(())));
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

/// Files are opened 32 at a time.
#[tokio::test]
async fn rule_05_a_load_that_waits_for_its_turn_is_cancelled_at_once() {
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let (gate, here) = (Gate::default(), std::thread::current().id());
    let held = gate.clone();
    fake.when_asked_for_its_name(move || {
        if std::thread::current().id() != here {
            held.pass();
        }
    });
    let mut gets: Vec<_> = (0..33).map(|at| bench.get::<NoteStore>(&format!("n{at}"))).collect();
    assert!(gets.iter_mut().all(|get| poll_once(get).is_pending()));
    until("all turns are taken", || gate.came() == 32).await;
    let mut evicted = bench.evict::<NoteStore>("n32");
    let mut is_done = false;
    for _ in 0..1_000 {
        is_done = is_done || poll_once(&mut evicted).is_ready();
        tokio::task::yield_now().await;
    }
    gate.open();
    assert!(is_done, "the eviction waits for loads of other stores");
    let last = gets.pop().unwrap().await;
    assert!(matches!(last, Err(LoadError::Cancelled { .. })), "{last:?}");
}

#[tokio::test]
async fn rule_05_evict_says_that_the_file_of_a_cancelled_load_was_not_closed_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    drop(bench.get::<HookedStore>("r05-unclean").await.unwrap());
    bench.evict::<HookedStore>("r05-unclean").await.unwrap();
    let file = bench.stored::<HookedStore>().await.unwrap().remove(0).file;
    // Somebody else reads the file, so that the last checkpoint cannot be made.
    let reader = rusqlite::Connection::open(&file).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM notes").unwrap();
    on_load_wait("r05-unclean", |store, _| {
        store.commit(written(1)).unwrap();
        Box::pin(std::future::pending())
    });
    let mut get = bench.get::<HookedStore>("r05-unclean");
    assert!(poll_once(&mut get).is_pending());
    bench.settle().await;
    let evicted = bench.evict::<HookedStore>("r05-unclean").await;
    assert!(evicted.is_err(), "{evicted:?}");
    drop(get);
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
async fn rule_07_a_get_that_failed_is_no_part_of_a_cycle() {
    let bench = Bench::new();
    on_load("r07-edge-child", Hook::Fail);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let opens = Arc::clone(&gate);
    on_load_wait("r07-edge-parent", move |_, context| {
        let gate = Arc::clone(&opens);
        Box::pin(async move {
            let mut child = context.registry().get::<HookedStore>("r07-edge-child");
            assert!(poll_once(&mut child).is_pending());
            // It does not look at the child again.
            gate.acquire().await?.forget();
            Ok(())
        })
    });
    let mut parent = bench.get::<HookedStore>("r07-edge-parent");
    assert!(poll_once(&mut parent).is_pending());
    bench.settle().await;
    // It takes the place in memory of the child that failed.
    on_load("r07-edge-other", Hook::Children(vec!["r07-edge-parent".to_owned()]));
    let mut other = bench.get::<HookedStore>("r07-edge-other");
    assert!(poll_once(&mut other).is_pending());
    bench.settle().await;
    gate.add_permits(1);
    let (parent, other) = tokio::join!(parent, other);
    assert!(parent.is_ok() && other.is_ok(), "{parent:?} {other:?}");
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
    if let QueryErrorKind::Store(error) = handle.query(Note::all()).unwrap_err().kind() {
        assert!(matches!(error, StoreError::Stopped { .. }), "{error:?}");
        assert!(!bench.has::<NoteStore>("n"));
    } else {
        panic!("a store with a damaged eventlog goes on");
    }
}
