//! Rule 9 when many ask at once: who gets a place, who waits for one, and who is refused.

use futures_util::future::join_all;
use larder::{OpenFilesLimit, StoreState, prelude::*};

use super::{
    fake::{Fake, synced},
    support::*,
};

#[tokio::test]
async fn rule_09_the_error_counts_stores_that_are_loading() {
    let bench = Bench::with(|builder| anywhere(builder).capacity(4));
    let got = join_all(["a", "b", "c", "d", "e"].map(|id| bench.get::<NoteStore>(id))).await;
    let (loaded, refused): (Vec<_>, Vec<_>) = got.into_iter().partition(Result::is_ok);
    assert_eq!(loaded.len(), 4);
    let limit = OpenFilesLimit::Capacity { observed: 4, capacity: 4 };
    assert!(
        matches!(&refused[..], [Err(LoadError::TooManyOpenFiles { limit: found, .. })] if *found == limit),
        "{refused:?}"
    );
}

#[tokio::test]
async fn rule_09_preloads_wait_for_the_places_of_stores_that_are_loading() {
    let bench = Bench::with(|builder| anywhere(builder).capacity(4));
    let ids: Vec<String> = (0..20).map(|at| format!("n{at}")).collect();
    let loaded = join_all(ids.iter().map(|id| bench.preload::<NoteStore>(id))).await;
    assert!(loaded.iter().all(Result::is_ok), "{loaded:?}");
    assert_eq!(bench.stats().loads, 20);
    ids.iter().for_each(|id| bench.preload::<PatientStore>(id).detach());
    bench.settle().await;
    assert_eq!((bench.stats().loads, bench.stats().count(StoreState::Inactive)), (40, 4));
}

#[tokio::test]
async fn rule_09_a_preload_waits_for_no_place_that_stays_taken() {
    let bench = Bench::with(|builder| anywhere(builder).capacity(1));
    let gate = hold("r09-stays");
    let (mut first, mut second) = (bench.preload::<HookedStore>("r09-stays"), bench.preload::<NoteStore>("n"));
    assert!(poll_once(&mut first).is_pending() && poll_once(&mut second).is_pending());
    // Who wants a handle is told at once.
    assert!(matches!(bench.get::<NoteStore>("m").await, Err(LoadError::TooManyOpenFiles { .. })));
    // What is preloaded is kept by somebody who comes before its load ends.
    let mut get = bench.get::<HookedStore>("r09-stays");
    assert!(poll_once(&mut get).is_pending());
    assert!(matches!(second.await, Err(LoadError::TooManyOpenFiles { .. })));
    gate.add_permits(1);
    let _handle = get.await.unwrap();
    assert_eq!((first.await.is_ok(), bench.stats_of("hooked", "r09-stays").observers), (true, 1));
}

#[tokio::test]
async fn rule_09_a_store_that_is_asked_for_while_it_closes_keeps_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).capacity(1));
    let reading = Reading::begin(bench.get::<NoteStore>("n").await.unwrap());
    drop(bench.evict::<NoteStore>("n"));
    let mut again = bench.get::<NoteStore>("n");
    assert!(poll_once(&mut again).is_pending());
    let other = poll_once(&mut bench.get::<NoteStore>("other"));
    reading.end();
    assert!(matches!(other, std::task::Poll::Ready(Err(LoadError::TooManyOpenFiles { .. }))), "{other:?}");
    let again = again.await;
    assert!(again.is_ok(), "{again:?}");
}

#[tokio::test]
async fn rule_09_a_load_of_the_registrys_own_gives_way_to_one_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).capacity(4).defaults(synced(&fake)));
    let ids: Vec<String> = (0..6).map(|at| format!("n{at}")).collect();
    for id in &ids {
        bench.get::<NoteStore>(id).await.unwrap().commit(written(1)).unwrap();
    }
    bench.clear().await.unwrap();
    // The registry's own loads stand still as they begin.
    let (gate, here) = (Gate::default(), std::thread::current().id());
    let held = gate.clone();
    fake.when_asked_for_its_name(move || {
        if std::thread::current().id() != here {
            held.pass();
        }
    });
    fake.connect(true);
    until("four loads", || gate.came() == 4).await;
    let mut mine = bench.get::<NoteStore>("mine");
    let asked = poll_once(&mut mine);
    gate.open();
    assert!(asked.is_pending(), "{asked:?}");
    let mine = mine.await;
    assert!(mine.is_ok(), "{mine:?}");
    bench.advance(60).await;
    assert_eq!(fake.received_of_all(), 6);
}

#[tokio::test]
async fn rule_13_a_store_that_is_being_sent_gives_way_to_none_of_the_registrys_own() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (Fake::new("wss://one", false), Fake::new("wss://two", false));
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).capacity(1));
    for (id, fake) in [("a", &one), ("b", &one), ("c", &two), ("d", &two)] {
        bench.get::<NoteStore>(id).options(synced(fake)).await.unwrap().commit(written(1)).unwrap();
        bench.clear().await.unwrap();
    }
    bench.log().take();
    one.hang(&["a", "b"]);
    one.connect(true);
    bench.settle().await;
    two.connect(true);
    bench.settle().await;
    bench.advance(10).await;
    assert_eq!((one.running(), two.received_of_all()), (1, 0));
    let log = bench.log().take();
    assert!(!log.iter().any(|line| line.ends_with("(capacity)")), "a store is taken away while it is sent: {log:?}");
    one.hang(&[]);
    bench.advance(120).await;
    assert_eq!((one.received_of_all(), two.received_of_all()), (2, 2));
}

#[tokio::test]
async fn rule_13_stores_that_only_their_unsent_events_keep_give_their_places_to_those_that_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://slow", true);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).capacity(2));
    fake.hang(&["a", "b", "c", "d"]);
    for id in ["a", "b", "c", "d"] {
        // Its handle goes at once, and its push hangs: the registry keeps it.
        bench.get::<NoteStore>(id).options(synced(&fake)).await.unwrap().commit(written(1)).unwrap();
        bench.settle().await;
    }
    // Whoever is observed by somebody else gives way to nobody.
    let _handles = (bench.get::<NoteStore>("e").await.unwrap(), bench.get::<NoteStore>("f").await.unwrap());
    assert!(matches!(bench.get::<NoteStore>("g").await, Err(LoadError::TooManyOpenFiles { .. })));
    drop(_handles);
    fake.hang(&[]);
    bench.advance(300).await;
    assert_eq!(fake.received_of_all(), 4, "what was closed unsent is sent");
}
