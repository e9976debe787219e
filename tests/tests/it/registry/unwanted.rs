//! Rule 13 for loads that fail, are cancelled or never begin: what their stores have not sent is sent all the same.

use larder::{BoxError, LoadError, StoreOptions, StoreState};

use super::{
    fake::{Fake, synced},
    support::*,
};

/// Leaves a store with one unsent event, closed while there is no connection.
async fn closed(bench: &Bench, id: &str) {
    bench.get::<HookedStore>(id).await.unwrap().commit(written(1)).unwrap();
    bench.clear().await.unwrap();
}

#[tokio::test]
async fn rule_13_what_a_load_commits_that_then_fails_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", true);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    let id = "unwanted-fails";
    on_load_wait(id, |store, _| {
        store.commit(written(1)).unwrap();
        Box::pin(async { Err(BoxError::from("the hook says no")) })
    });
    let failed = bench.get::<HookedStore>(id).await;
    assert!(matches!(failed, Err(LoadError::OnLoad { .. })), "{failed:?}");
    bench.settle().await;
    assert_eq!(fake.received(id), 1);
    assert!(bench.stats().stores.is_empty());
}

#[tokio::test]
async fn rule_13_what_a_load_commits_that_is_then_cancelled_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", true);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    let id = "unwanted-cancelled";
    on_load_wait(id, |store, _| {
        store.commit(written(1)).unwrap();
        Box::pin(std::future::pending())
    });
    let mut get = bench.get::<HookedStore>(id);
    assert!(poll_once(&mut get).is_pending());
    bench.settle().await;
    assert_eq!(fake.received(id), 0, "nobody has it");
    drop(get);
    bench.settle().await;
    assert_eq!(fake.received(id), 1);
}

#[tokio::test]
async fn rule_13_a_load_that_always_fails_makes_nobody_spin() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", true);
    fake.refuse(true);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    let id = "unwanted-always-fails";
    on_load_wait(id, |store, _| {
        let _ = store.commit(written(1));
        Box::pin(async { Err(BoxError::from("the hook says no")) })
    });
    for _ in 0..3 {
        assert!(bench.get::<HookedStore>(id).await.is_err());
        bench.settle().await;
    }
    bench.log().take();
    bench.advance(3_600).await;
    let loads = bench.log().take().iter().filter(|line| line.starts_with("loading ")).count();
    assert!((100..=300).contains(&loads), "{loads} loads in an hour with pauses of 15 to 30 s");
    fake.refuse(false);
    bench.advance(30).await;
    assert_eq!(fake.received(id), 1);
    bench.log().take();
    bench.advance(3_600).await;
    assert_eq!(bench.log().take(), Vec::<String>::new());
}

/// The connection comes while a load runs that nobody wants any more after that.
#[tokio::test]
async fn rule_13_a_load_that_is_cancelled_after_the_connection_came_leaves_nothing_unsent() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    let id = "unwanted-held";
    closed(&bench, id).await;
    let _gate = hold(id);
    let mut get = bench.get::<HookedStore>(id);
    assert!(poll_once(&mut get).is_pending());
    bench.settle().await;
    fake.connect(true);
    bench.settle().await;
    assert_eq!((fake.received(id), bench.stats_of("hooked", id).state), (0, StoreState::Loading));
    drop(get);
    bench.settle().await;
    assert_eq!(fake.received(id), 1);
}

/// The same where the load has not begun: it waits for the place of a store that cannot be closed yet.
#[tokio::test]
async fn rule_13_who_waited_for_a_place_when_the_connection_came_leaves_nothing_unsent() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).capacity(1).defaults(synced(&fake)));
    let id = "unwanted-queued";
    closed(&bench, id).await;
    let reading = Reading::begin(bench.get::<NoteStore>("closing").await.unwrap());
    drop(bench.evict::<NoteStore>("closing"));
    let mut get = bench.get::<HookedStore>(id);
    assert!(poll_once(&mut get).is_pending());
    fake.connect(true);
    until("the connection is there", || bench.network().is_connected()).await;
    // The closed stores are looked for on other threads.
    for _ in 0..100_000 {
        tokio::task::yield_now().await;
    }
    drop(get);
    reading.end();
    bench.advance(60).await;
    assert_eq!(fake.received(id), 1);
}

#[tokio::test]
async fn rule_13_a_store_that_is_open_without_its_backend_when_the_connection_comes_is_sent_when_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    let id = "unwanted-without";
    closed(&bench, id).await;
    bench.update_defaults(StoreOptions::new());
    let handle = bench.get::<HookedStore>(id).await.unwrap();
    fake.connect(true);
    bench.settle().await;
    handle.commit(written(2)).unwrap();
    drop(handle);
    bench.clear().await.unwrap();
    bench.advance(60).await;
    assert_eq!(fake.received(id), 2);
    let stored = bench.stored::<HookedStore>().await.unwrap();
    assert_eq!(stored[0].unsent, Some(0));
}
