//! What a backend is told of who asks: when it is asked for, and again.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use larder::{InitialSync, Payload, StoreId, StoreOptions, SyncError, SyncPhase, testing::TestRegistry};
use larder_tests::notebook::{Notebook, written};

use super::{
    clients::{STORE, log, push_foreign},
    flaky::{Flaky, Mishap},
};
use crate::registry::support::{Gate, until};

/// Gives tokens 1, 2, 3, each good for so long.
fn tokens(valid_for: Option<Duration>) -> Payload {
    let given = Arc::new(AtomicU64::new(0));
    Payload::provider(move || {
        let token = Payload::new().with("token", given.fetch_add(1, Ordering::SeqCst) + 1);
        let token = match valid_for {
            Some(time) => token.valid_for(time),
            None => token,
        };
        async move { Ok(token) }
    })
}

fn pulled(flaky: &Flaky) -> String {
    flaky.pulled.lock().unwrap().join(" ")
}

async fn seconds(registry: &TestRegistry, seconds: u64) {
    registry.advance(Duration::from_secs(seconds)).await;
}

#[tokio::test]
async fn a_live_pull_is_renewed_with_a_new_payload_before_the_one_of_before_expires() {
    let flaky = Flaky::new(&[], &[]);
    let registry = flaky.registry(StoreOptions::new().sync_payload(tokens(Some(Duration::from_secs(100)))));
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    assert_eq!(pulled(&flaky), "1");
    let mut watch = store.watch_sync();
    assert_eq!(watch.next().await.unwrap().phase, SyncPhase::Live);
    seconds(&registry, 89).await;
    assert_eq!(pulled(&flaky), "1");
    seconds(&registry, 2).await;
    assert_eq!(pulled(&flaky), "1 2", "asked again before 100 s");
    assert!(watch.next().now_or_never().is_none(), "nobody hears of it");
    push_foreign(&flaky.inner, &[written(10)]).await;
    registry.settle().await;
    assert_eq!(log(&store), "e1");
    seconds(&registry, 180).await;
    assert_eq!(pulled(&flaky), "1 2 3 4");
}

#[tokio::test]
async fn events_of_others_come_while_a_push_without_an_answer_holds_the_renewal_up() {
    let flaky = Flaky::new(&[Mishap::Hangs], &[]);
    let registry = flaky.registry(StoreOptions::new().sync_payload(tokens(Some(Duration::from_secs(100)))));
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    store.commit(written(1)).unwrap();
    seconds(&registry, 95).await;
    push_foreign(&flaky.inner, &[written(10)]).await;
    registry.settle().await;
    assert_eq!(log(&store), "e1 | e2r1");
}

#[tokio::test]
async fn a_payload_is_renewed_between_two_pushes_however_much_there_is_to_push() {
    let flaky = Flaky::new(&[Mishap::Waits; 3], &[]);
    let registry = flaky.registry(StoreOptions::new().sync_payload(tokens(Some(Duration::from_secs(100)))));
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    store.commit((0..250).map(written).collect::<Vec<_>>()).unwrap();
    seconds(&registry, 95).await;
    assert_eq!(flaky.pulled.lock().unwrap().len(), 1, "the push that is on its way has its answer first");
    flaky.gate.notify_one();
    registry.settle().await;
    assert_eq!((flaky.pulled.lock().unwrap().len(), flaky.inner.events(STORE).len()), (2, 100));
    for _ in 0..2 {
        flaky.gate.notify_one();
        registry.settle().await;
    }
    assert_eq!((store.sync_status().pending, flaky.inner.events(STORE).len()), (0, 250));
}

#[tokio::test]
async fn a_live_pull_whose_payload_does_not_expire_is_not_renewed() {
    let flaky = Flaky::new(&[], &[]);
    // Of a payload that no provider gave nobody can be asked for another one.
    let fixed = Payload::new().with("tenant", 7).valid_for(Duration::from_secs(1));
    let registry = flaky.registry(StoreOptions::new().sync_payload(fixed.merge(tokens(None))));
    let _store = registry.get::<Notebook>(STORE).await.unwrap();
    seconds(&registry, 100_000).await;
    assert_eq!(pulled(&flaky), "1");
}

#[tokio::test]
async fn a_payload_without_any_time_left_is_asked_for_once_a_second() {
    let flaky = Flaky::new(&[], &[]);
    let registry = flaky.registry(StoreOptions::new().sync_payload(tokens(Some(Duration::ZERO))));
    let _store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    for _ in 0..10 {
        seconds(&registry, 1).await;
    }
    assert_eq!(pulled(&flaky), "1 2 3 4 5 6 7 8 9 10 11");
}

#[tokio::test]
async fn a_payload_that_is_replaced_is_told_at_once_also_by_a_live_pull() {
    let flaky = Flaky::new(&[], &[]);
    let told = |token: u64| StoreOptions::new().sync_payload(Payload::new().with("token", token));
    let registry = flaky.registry(told(1));
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    let _again = registry.get::<Notebook>(STORE).options(told(1)).await.unwrap();
    registry.settle().await;
    assert_eq!(pulled(&flaky), "1", "the same is no news");
    let _other = registry.get::<Notebook>(STORE).options(told(2)).await.unwrap();
    registry.settle().await;
    assert_eq!((pulled(&flaky).as_str(), store.sync_status().phase), ("1 2", SyncPhase::Live));
}

/// Options of a load that waits a minute for its first sync, and tells this token.
fn waits_with(token: u64) -> StoreOptions {
    let options = StoreOptions::new().sync_payload(Payload::new().with("token", token));
    options.initial_sync(InitialSync::Blocking { timeout: Duration::from_secs(60) })
}

#[tokio::test]
async fn a_first_sync_that_was_refused_or_hangs_is_tried_at_once_when_the_payload_is_replaced() {
    for mishap in [Mishap::Unauthorized, Mishap::Hangs] {
        for by_a_call in [false, true] {
            let flaky = Flaky::new(&[], &[mishap]);
            push_foreign(&flaky.inner, &[written(10)]).await;
            let registry = flaky.registry(waits_with(1));
            let mut get = registry.get::<Notebook>(STORE);
            assert!((&mut get).now_or_never().is_none());
            registry.settle().await;
            assert_eq!(pulled(&flaky), "1");
            let told = StoreOptions::new().sync_payload(Payload::new().with("token", 2));
            let mut other = registry.get::<Notebook>(STORE).options(told);
            match by_a_call {
                true => assert!((&mut other).now_or_never().is_none()),
                false => registry.update_defaults(waits_with(2)),
            }
            registry.settle().await;
            assert_eq!(pulled(&flaky), "1 2 2", "the first sync, and then the live pull");
            let store = get.await.unwrap();
            assert_eq!((log(&store).as_str(), store.sync_status().phase), ("e1", SyncPhase::Live));
        }
    }
}

#[tokio::test]
async fn a_payload_that_is_replaced_while_the_file_is_opened_is_told_by_the_first_sync() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    fn held(id: &StoreId) -> String {
        GATE.pass();
        id.to_string()
    }
    let flaky = Flaky::new(&[], &[]);
    let registry = flaky.registry(waits_with(1).sync_id(held));
    let mut get = registry.get::<Notebook>(STORE);
    assert!((&mut get).now_or_never().is_none());
    until("the file is about to be opened", || GATE.came() == 1).await;
    registry.update_defaults(waits_with(2));
    GATE.open();
    let _store = get.await.unwrap();
    registry.settle().await;
    assert_eq!(pulled(&flaky), "2 2");
}

#[tokio::test]
async fn a_refused_store_is_tried_at_once_when_its_payload_is_replaced() {
    let flaky = Flaky::new(&[Mishap::Unauthorized], &[Mishap::Unauthorized; 100]);
    let told = |token: u64| StoreOptions::new().sync_payload(Payload::new().with("token", token));
    let registry = flaky.registry(told(1));
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    for _ in 0..10 {
        seconds(&registry, 6).await;
    }
    let refused = store.sync_status();
    assert!(matches!(refused.last_error, Some(SyncError::Unauthorized { .. })), "{refused:?}");
    flaky.pulls.lock().unwrap().clear();
    let before = pulled(&flaky);
    let _other = registry.get::<Notebook>(STORE).options(told(2)).await.unwrap();
    registry.settle().await;
    assert_eq!((pulled(&flaky), store.sync_status().phase), (format!("{before} 2"), SyncPhase::Live));
    // The same where a push was refused.
    store.commit(written(1)).unwrap();
    registry.settle().await;
    assert_eq!((store.sync_status().phase, log(&store).as_str()), (SyncPhase::Failing, "| e1"));
    let _third = registry.get::<Notebook>(STORE).options(told(3)).await.unwrap();
    registry.settle().await;
    assert_eq!((store.sync_status().phase, log(&store).as_str()), (SyncPhase::Live, "e1"));
}

#[tokio::test]
async fn a_provider_that_fails_or_panics_is_asked_again_and_the_status_says_why() {
    for panics in [false, true] {
        let flaky = Flaky::new(&[], &[]);
        let asked = Arc::new(AtomicU64::new(0));
        let payload = Payload::provider(move || {
            let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                match first {
                    true if panics => panic!("the keyring is locked"),
                    true => Err("the keyring is locked".into()),
                    false => Ok(Payload::new().with("token", 1)),
                }
            }
        });
        let registry = flaky.registry(StoreOptions::new().sync_payload(payload));
        let store = registry.get::<Notebook>(STORE).await.unwrap();
        registry.settle().await;
        let status = store.sync_status();
        let error = status.last_error.expect("an error").to_string();
        assert!(error.contains("the keyring is locked"), "{error}");
        seconds(&registry, 2).await;
        assert_eq!((store.sync_status().phase, pulled(&flaky).as_str()), (SyncPhase::Live, "1"));
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_fails_after_a_minute_and_is_asked_again() {
    let flaky = Flaky::new(&[], &[]);
    let asked = Arc::new(AtomicU64::new(0));
    let payload = Payload::provider(move || {
        let is_first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if is_first {
                std::future::pending::<()>().await;
            }
            Ok(Payload::new().with("token", 2))
        }
    });
    let registry = flaky.registry(StoreOptions::new().sync_payload(payload));
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    let receipt = store.commit(written(1)).unwrap();
    seconds(&registry, 59).await;
    assert_eq!((store.sync_status().last_error, pulled(&flaky).as_str()), (None, ""));
    seconds(&registry, 1).await;
    let status = store.sync_status();
    let Some(SyncError::Backend { message, .. }) = &status.last_error else { panic!("{status:?}") };
    assert_eq!(message, "`sync_payload` has not answered for 60 s");
    seconds(&registry, 3).await;
    receipt.confirmed().await.unwrap();
    assert_eq!((store.sync_status().last_error, pulled(&flaky).as_str()), (None, "2"));
}
