//! Every known defect of the proposal's draft, and the tests of its appendix D.

use std::time::Duration;

use futures_util::future::join_all;
use larder::{LoadError, Payload, StoreOptions, StoreState, prelude::*};
use tokio_util::sync::CancellationToken;

use super::{
    fake::{Fake, synced},
    support::*,
};

fn a_tenth_of_a_second() -> Bench {
    Bench::with(|builder| anywhere(builder).defaults(StoreOptions::new().gc_time(Duration::from_millis(100))))
}

#[tokio::test]
async fn appendix_d_store_instances_are_cached() {
    let bench = a_tenth_of_a_second();
    let one = bench.get::<NoteStore>("test-1").await.unwrap();
    let two = bench.get::<NoteStore>("test-1").await.unwrap();
    assert!(std::ptr::eq::<Store<NoteStore>>(&*one, &*two));
}

#[tokio::test]
async fn appendix_d_a_store_is_collected_after_its_gc_time() {
    let bench = a_tenth_of_a_second();
    drop(bench.get::<NoteStore>("test-1").await.unwrap());
    bench.clock().advance(Duration::from_millis(150)).await;
    assert!(!bench.has::<NoteStore>("test-1"));
}

#[tokio::test]
async fn appendix_d_an_observer_that_attaches_cancels_the_collection() {
    let bench = a_tenth_of_a_second();
    drop(bench.get::<NoteStore>("test-1").await.unwrap());
    bench.clock().advance(Duration::from_millis(50)).await;
    let _handle = bench.try_get::<NoteStore>("test-1").unwrap();
    bench.clock().advance(Duration::from_millis(100)).await;
    assert!(bench.has::<NoteStore>("test-1"));
}

#[tokio::test]
async fn appendix_d_a_get_suspends_until_the_store_is_ready() {
    let bench = a_tenth_of_a_second();
    let gate = hold("draft-suspends");
    let mut get = bench.get::<HookedStore>("draft-suspends");
    assert!(poll_once(&mut get).is_pending());
    bench.settle().await;
    assert!(poll_once(&mut get).is_pending());
    gate.add_permits(1);
    assert!(get.await.is_ok());
}

#[tokio::test]
async fn draft_a_later_shorter_gc_time_does_not_shorten() {
    let bench = Bench::new();
    let first = bench.get::<NoteStore>("n").gc_time(GcTime::seconds(120)).await.unwrap();
    let later = bench.get::<NoteStore>("n").gc_time(GcTime::seconds(1)).await.unwrap();
    drop((first, later));
    assert_eq!(bench.deadline("note", "n"), Some(120));
}

#[tokio::test]
async fn draft_a_release_does_not_forget_the_longest_before_it_schedules() {
    let bench = Bench::new();
    let short = bench.get::<NoteStore>("n").gc_time(GcTime::seconds(1)).await.unwrap();
    let long = bench.get::<NoteStore>("n").gc_time(GcTime::seconds(300)).await.unwrap();
    drop(short);
    drop(long);
    assert_eq!(bench.deadline("note", "n"), Some(300));
}

#[tokio::test]
async fn draft_a_stale_release_does_not_hit_a_reloaded_store() {
    let bench = Bench::new();
    let stale = bench.get::<NoteStore>("n").await.unwrap();
    bench.evict::<NoteStore>("n").await.unwrap();
    let fresh = bench.get::<NoteStore>("n").await.unwrap();
    drop(stale);
    bench.advance(1_000).await;
    assert_eq!(bench.stats_of("note", "n").observers, 1);
    assert!(fresh.commit(written(1)).is_ok());
}

#[tokio::test]
async fn draft_there_is_no_gap_between_get_and_retain() {
    let bench = Bench::with(|builder| anywhere(builder).defaults(StoreOptions::new().gc_time(GcTime::ZERO)));
    let mut get = bench.get::<NoteStore>("n");
    assert!(poll_once(&mut get).is_pending());
    bench.advance(1_000).await;
    let handle = get.await.unwrap();
    assert!(handle.commit(written(1)).is_ok());
}

#[tokio::test]
async fn draft_a_callers_token_does_not_replace_the_shared_one() {
    let bench = Bench::new();
    let gate = hold("draft-token");
    let token = CancellationToken::new();
    let mut first = bench.preload::<HookedStore>("draft-token").cancelled_by(token.clone());
    let mut second = bench.get::<HookedStore>("draft-token");
    assert!(poll_once(&mut first).is_pending() && poll_once(&mut second).is_pending());
    token.cancel();
    assert!(matches!(first.await, Err(LoadError::Cancelled { .. })));
    gate.add_permits(1);
    assert!(second.await.is_ok());
    // And evict still cancels a load that a caller's token could have been cancelling.
    bench.evict::<HookedStore>("draft-token").await.unwrap();
    let mut third = bench.preload::<HookedStore>("draft-token").cancelled_by(CancellationToken::new());
    assert!(poll_once(&mut third).is_pending());
    bench.settle().await;
    bench.evict::<HookedStore>("draft-token").await.unwrap();
    assert!(matches!(third.await, Err(LoadError::Cancelled { .. })));
}

#[tokio::test]
async fn draft_closing_is_awaited_and_its_error_is_not_swallowed() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    bench.evict::<NoteStore>("n").await.unwrap();
    let log = bench.log().take();
    assert_eq!(log.last().map(String::as_str), Some("closed note/n"), "the future resolved before the file was closed");

    // Somebody else reads the file, so that the last checkpoint cannot be made; nothing is lost, and it is said.
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(2)).unwrap();
    let file = bench.stored::<NoteStore>().await.unwrap().remove(0).file;
    let reader = rusqlite::Connection::open(&file).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM notes").unwrap();
    handle.commit(written(3)).unwrap();
    let closed = bench.evict::<NoteStore>("n").await;
    assert!(matches!(&closed, Err(larder::StoreError::Stopped { .. })), "{closed:?}");
    let again = bench.get::<NoteStore>("n").await.unwrap();
    assert_eq!(again.query(Note::all()).unwrap().len(), 3);
    drop(reader);
}

#[tokio::test]
async fn draft_mounting_twice_clears_nothing() {
    // React mounts twice in development, and the draft's provider clears its registry in between: here a second clone comes and goes.
    let bench = Bench::new();
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    drop(bench.clone());
    assert!(handle.commit(written(1)).is_ok());
    assert_eq!(bench.stats_of("note", "n").state, StoreState::Active);
}

#[tokio::test]
async fn draft_timers_do_not_overflow() {
    let bench = Bench::new();
    // 2^31 ms is where the draft's `setTimeout` fires at once.
    drop(bench.get::<NoteStore>("n").gc_time(Duration::from_millis(1 << 31)).await.unwrap());
    bench.advance(60).await;
    assert!(bench.has::<NoteStore>("n"));
    bench.clock().advance(Duration::from_millis(1 << 31)).await;
    assert!(!bench.has::<NoteStore>("n"));
}

#[tokio::test]
async fn draft_a_second_callers_options_are_not_ignored() {
    let bench = Bench::new();
    let first = bench.get::<NoteStore>("n").await.unwrap();
    let second = bench.get::<NoteStore>("n").gc_time(GcTime::minutes(10)).await.unwrap();
    drop((first, second));
    assert_eq!(bench.deadline("note", "n"), Some(600));
    let other = StoreOptions::new().max_commit_events(1);
    let conflict = bench.get::<NoteStore>("n").options(other).await;
    assert!(matches!(conflict, Err(LoadError::OptionsConflict { option: "max_commit_events", .. })));
}

#[tokio::test]
async fn draft_new_defaults_reach_live_stores() {
    let fake = Fake::new("wss://one", true);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    let payload = Payload::new().with("authToken", "new");
    bench.update_defaults(synced(&fake).gc_time(GcTime::seconds(7)).sync_payload(payload));
    handle.commit(written(1)).unwrap();
    drop(handle);
    bench.settle().await;
    assert_eq!(bench.deadline("note", "n"), Some(7));
    assert_eq!(fake.payloads()[0]["authToken"], "new");
}

#[tokio::test]
async fn draft_a_definition_is_known_by_its_type_and_not_by_a_random_id() {
    let dir = tempfile::tempdir().unwrap();
    for turn in 0..2 {
        let registry = StoreRegistry::builder().data_dir(dir.path()).build().unwrap();
        let handles = join_all([registry.get::<NoteStore>("same"), registry.get::<NoteStore>("same")]).await;
        let handle = handles[0].as_ref().unwrap();
        assert_eq!(handle.query(Note::all()).unwrap().len(), turn);
        handle.commit(written(i64::try_from(turn).unwrap())).unwrap();
        registry.shutdown(Duration::from_secs(5)).await;
    }
}
