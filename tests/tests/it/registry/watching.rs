//! Rule 12: what a registry says of its stores, once and again after changes.

use std::time::Duration;

use futures_util::FutureExt;
use larder::{StoreState, StoreSync};

use super::{
    fake::{Fake, synced},
    support::*,
};

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
async fn rule_12_stats_give_the_bytes_of_a_loaded_stores_files() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    let new = bench.stats_of("note", "n").bytes;
    handle.commit(NoteEvent::Written { number: 1, text: "x".repeat(100_000) }).unwrap();
    let grown = bench.stats_of("note", "n").bytes;
    assert!((1..100_000).contains(&new) && grown >= new + 200_000, "{new}, {grown}: in the log and in the table");
    handle.close().await.unwrap();
    let file = bench.stored::<NoteStore>().await.unwrap()[0].file.clone();
    let again = bench.get::<NoteStore>("n").await.unwrap();
    assert!(bench.stats_of("note", "n").bytes >= std::fs::metadata(file).unwrap().len());
    drop(again);
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
    handle.commit([written(1), written(2)]).unwrap();
    let seen = watch.next().now_or_never().expect("a commit is a change").unwrap();
    assert_eq!(seen.store("note", "n").unwrap().events, 2);
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
async fn rule_12_watch_says_when_a_connection_comes_or_goes() {
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let _handle = bench.get::<NoteStore>("n").await.unwrap();
    bench.advance(2).await;
    let mut watch = bench.watch();
    watch.next().await.unwrap();
    for (connected, sync) in
        [(true, StoreSync::Connected { unsent: 0 }), (false, StoreSync::Disconnected { unsent: 0 })]
    {
        fake.connect(connected);
        bench.settle().await;
        let std::task::Poll::Ready(Some(stats)) = poll_once(&mut Box::pin(watch.next())) else {
            panic!("nothing is said of the connection");
        };
        assert_eq!(stats.store("note", "n").unwrap().sync, sync);
    }
}
