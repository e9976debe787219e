//! Rules 11 and 13 against a backend that panics, hangs, or is there too late.

use std::time::Duration;

use larder::{StoreEnd, StoreOptions};

use super::{
    fake::{Fake, synced},
    support::*,
};

async fn closed(bench: &Bench, id: &str, options: StoreOptions) {
    bench.get::<NoteStore>(id).options(options).await.unwrap().commit(written(1)).unwrap();
    bench.evict::<NoteStore>(id).await.unwrap();
}

/// Seconds pass while the test waits for something of its own, which the clock does not know of.
async fn pass(bench: &Bench, seconds: u64) {
    for _ in 0..seconds {
        for _ in 0..20 {
            bench.settle().await;
            tokio::task::yield_now().await;
        }
        bench.advance(1).await;
    }
}

#[tokio::test]
async fn rule_13_a_push_that_panics_is_a_push_that_failed() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    closed(&bench, "closed", StoreOptions::new()).await;
    let handle = bench.get::<NoteStore>("kept").await.unwrap();
    handle.commit(written(1)).unwrap();
    fake.panic(2);
    fake.connect(true);
    drop(handle);
    bench.settle().await;
    assert_eq!(fake.received_of_all(), 0);
    bench.advance(60).await;
    assert_eq!((fake.received("closed"), fake.received("kept")), (1, 1));
}

#[tokio::test]
async fn rule_13_a_backend_that_panics_when_it_is_asked_is_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&fake)));
    closed(&bench, "n", StoreOptions::new()).await;
    bench.settle().await;
    fake.answer_once(|| panic!("the backend panics"));
    fake.connect(true);
    bench.settle().await;
    bench.advance(60).await;
    assert_eq!(fake.received("n"), 1);
}

#[tokio::test]
async fn rule_13_a_backend_that_hangs_does_not_keep_another_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (Fake::new("wss://one", false), Fake::new("wss://two", false));
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).defaults(synced(&one)));
    let ids = ["a", "b", "c", "d", "e"];
    for id in ids {
        closed(&bench, id, StoreOptions::new()).await;
    }
    closed(&bench, "other", synced(&two)).await;
    one.hang(&ids);
    one.connect(true);
    bench.settle().await;
    assert_eq!(one.running(), 4);
    two.connect(true);
    bench.advance(360).await;
    assert_eq!((one.received_of_all(), two.received("other")), (0, 1));
    assert!(one.most() <= 4);
    one.hang(&[]);
    bench.advance(360).await;
    assert_eq!(one.received_of_all(), 5);
}

#[tokio::test]
async fn rule_11_a_push_that_is_refused_is_tried_again_until_the_deadline() {
    let fake = Fake::new("wss://one", true);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    fake.refuse(true);
    let shutdown = bench.shutdown(Duration::from_secs(10));
    let looks = async {
        pass(&bench, 2).await;
        fake.refuse(false);
        pass(&bench, 8).await;
    };
    let (report, ()) = tokio::join!(shutdown, looks);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.unsent(), fake.received("n")), (0, 1));
}

#[tokio::test]
async fn rule_11_a_connection_that_comes_before_the_deadline_is_used() {
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").gc_time(larder::GcTime::ZERO).await.unwrap();
    handle.commit(written(1)).unwrap();
    let mut shutdown = Box::pin(bench.shutdown(Duration::from_secs(10)));
    assert!(poll_once(&mut shutdown).is_pending());
    // Nobody else keeps it.
    drop(handle);
    let looks = async {
        pass(&bench, 2).await;
        fake.connect(true);
        pass(&bench, 1).await;
        assert!(bench.stats().stores.is_empty(), "what is sent is closed before the deadline: {:?}", bench.stats());
    };
    let (report, ()) = tokio::join!(shutdown, looks);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.unsent(), fake.received("n")), (0, 1));
}

#[tokio::test]
async fn rule_11_a_registry_off_the_network_sends_nothing_while_it_shuts_down_until_it_is_back() {
    for is_back in [false, true] {
        let fake = Fake::new("wss://one", true);
        let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
        let handle = bench.get::<NoteStore>("n").await.unwrap();
        bench.network().set_offline(true);
        handle.commit(written(1)).unwrap();
        let shutdown = bench.shutdown(Duration::from_secs(10));
        let looks = async {
            pass(&bench, 2).await;
            assert_eq!(fake.received("n"), 0);
            bench.network().set_offline(!is_back);
            pass(&bench, 8).await;
        };
        let (report, ()) = tokio::join!(shutdown, looks);
        assert!(report.is_clean(), "{report:?}");
        assert_eq!((report.unsent(), fake.received("n")), if is_back { (0, 1) } else { (1, 0) });
    }
}

#[tokio::test]
async fn rule_11_a_store_is_pushed_by_one_at_a_time() {
    let fake = Fake::new("wss://one", true);
    fake.hang(&["n"]);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    drop(handle);
    bench.settle().await;
    assert_eq!(fake.running(), 1);
    let shutdown = bench.shutdown(Duration::from_secs(10));
    let looks = async {
        pass(&bench, 1).await;
        assert_eq!((fake.running(), fake.most()), (1, 1));
        fake.hang(&[]);
        pass(&bench, 9).await;
    };
    let (report, ()) = tokio::join!(shutdown, looks);
    assert_eq!((report.unsent(), fake.received("n"), fake.most()), (0, 1, 1));
}

#[tokio::test]
async fn rule_11_a_push_that_panics_keeps_no_store_open() {
    let fake = Fake::new("wss://one", true);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    fake.panic(1_000);
    let (report, ()) = tokio::join!(bench.shutdown(Duration::from_secs(5)), pass(&bench, 5));
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.unsent(), report.stores.len()), (1, 1));
}

#[tokio::test]
async fn rule_11_the_report_knows_what_is_unsent_of_a_load_that_waits_for_a_place() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).capacity(1).defaults(synced(&fake)));
    closed(&bench, "n", StoreOptions::new()).await;
    let reading = Reading::begin(bench.get::<NoteStore>("closing").await.unwrap());
    drop(bench.evict::<NoteStore>("closing"));
    let mut get = bench.get::<NoteStore>("n");
    assert!(poll_once(&mut get).is_pending());
    let shutdown = bench.shutdown(Duration::from_secs(5));
    reading.end();
    let report = shutdown.await;
    let waited = report.stores.iter().find(|store| store.name.id().as_str() == "n").unwrap();
    assert_eq!((&waited.ended, waited.unsent), (&StoreEnd::Cancelled, Some(1)));
}
