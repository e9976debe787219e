//! Rule 7: no lock is held while the app's code runs, wherever a registry calls it or drops it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use larder::{Payload, StoreOptions, prelude::*};

use super::{
    fake::{Fake, synced},
    support::*,
};

/// Asks the registry when it is dropped, which would wait for ever under the registry's lock.
struct Asks {
    registry: StoreRegistry,
    asked: Arc<AtomicUsize>,
}

impl Asks {
    fn new(bench: &Bench, asked: &Arc<AtomicUsize>) -> Self {
        Self { registry: StoreRegistry::clone(bench), asked: Arc::clone(asked) }
    }

    /// A payload that is dropped with this.
    fn payload(self) -> Payload {
        Payload::provider(move || {
            let _ = self.registry.stats();
            async { Ok(Payload::new()) }
        })
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        let _ = self.registry.stats();
        self.asked.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn rule_07_a_backend_that_is_asked_for_its_connection_may_ask_the_registry() {
    let fake = Fake::new("wss://one", false);
    let bench = Bench::with(|builder| anywhere(builder).defaults(synced(&fake)));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    let (registry, asked) = (StoreRegistry::clone(&bench), Arc::new(AtomicUsize::new(0)));
    let note = Arc::clone(&asked);
    fake.answer_once(move || {
        note.fetch_add(registry.stats().stores.len(), Ordering::Relaxed);
        true
    });
    drop(handle);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn rule_07_options_that_are_replaced_are_dropped_under_no_lock() {
    let bench = Bench::new();
    let asked = Arc::new(AtomicUsize::new(0));
    for calls in 1..=3 {
        let options = StoreOptions::new().sync_payload(Asks::new(&bench, &asked).payload());
        drop(bench.get::<NoteStore>("n").options(options).await.unwrap());
        assert_eq!(asked.load(Ordering::Relaxed), calls.max(2) - 2, "the last stays, and what it was loaded with");
    }
    // Of a load that waits for the closing one, whose options replace those of before.
    drop(bench.evict::<NoteStore>("n"));
    let options = StoreOptions::new().sync_payload(Asks::new(&bench, &asked).payload());
    drop(bench.get::<NoteStore>("n").options(options).await.unwrap());
    bench.settle().await;
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    bench.clear().await.unwrap();
    bench.settle().await;
    assert_eq!(asked.load(Ordering::Relaxed), 4);
    bench.update_defaults(StoreOptions::new().sync_payload(Asks::new(&bench, &asked).payload()));
    bench.update_defaults(StoreOptions::new());
    assert_eq!(asked.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn rule_07_what_a_load_keeps_is_dropped_under_no_lock() {
    let bench = Bench::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let keeps = std::sync::Mutex::new(Some(Asks::new(&bench, &asked)));
    on_load_run("keeps-asking", move |_, context| {
        keeps.lock().unwrap().take().into_iter().for_each(|asks| context.keep(asks));
    });
    drop(bench.get::<HookedStore>("keeps-asking").await.unwrap());
    bench.evict::<HookedStore>("keeps-asking").await.unwrap();
    bench.settle().await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "what the app gave panics when it is dropped");
    }
}

#[tokio::test]
async fn rule_07_a_drop_of_the_app_that_panics_keeps_nobody_waiting() {
    let bench = Bench::with(|builder| anywhere(builder).capacity(1));
    let bomb = Bomb;
    let payload = Payload::provider(move || {
        let _ = &bomb;
        async { Ok(Payload::new()) }
    });
    drop(bench.get::<NoteStore>("bomb").sync_payload(payload).await.unwrap());
    let next = bench.get::<NoteStore>("next").await.unwrap();
    next.commit(written(1)).unwrap();
    drop(next);
    let again = bench.get::<NoteStore>("bomb").await;
    assert!(again.is_ok(), "{again:?}");
}

#[test]
fn rule_07_an_error_of_on_load_is_dropped_under_no_lock() {
    // One blocking thread, so that the file of the failed load is closed when the test says so.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        for joins_again in [false, true] {
            let bench = Bench::new();
            let asked = Arc::new(AtomicUsize::new(0));
            let (go, gone) = std::sync::mpsc::channel::<()>();
            let fails = std::sync::Mutex::new(Some((Asks::new(&bench, &asked), gone)));
            let ran = Arc::new(AtomicUsize::new(0));
            let runs = Arc::clone(&ran);
            on_load_wait("fails-asking", move |_, _| {
                let first = fails.lock().unwrap().take().map(|(asks, gone)| {
                    tokio::task::spawn_blocking(move || gone.recv());
                    asks
                });
                runs.fetch_add(1, Ordering::Relaxed);
                Box::pin(async move { first.map_or(Ok(()), |asks| Err(Failure(asks).into())) })
            });
            let mut get = bench.get::<HookedStore>("fails-asking");
            assert!(poll_once(&mut get).is_pending());
            until("on_load has failed", || ran.load(Ordering::Relaxed) == 1).await;
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            drop(get);
            let again = joins_again.then(|| {
                let mut again = bench.get::<HookedStore>("fails-asking");
                assert!(poll_once(&mut again).is_pending());
                again
            });
            go.send(()).unwrap();
            bench.settle().await;
            assert_eq!(asked.load(Ordering::Relaxed), 1);
            if let Some(again) = again {
                assert!(again.await.is_ok());
            }
        }
    });
}

#[tokio::test]
async fn rule_07_a_drop_of_the_app_that_panics_during_a_load_fails_it_by_that_name() {
    let bench = Bench::new();
    on_load_wait("drops-badly", |_, context| {
        context.keep(Bomb);
        Box::pin(async { Err("no".into()) })
    });
    let failed = bench.get::<HookedStore>("drops-badly").await.unwrap_err();
    assert!(matches!(failed, LoadError::Panicked { .. }) && failed.to_string().contains("dropped"), "{failed}");
    on_load("drops-badly", Hook::Count(Arc::default()));
    assert!(bench.get::<HookedStore>("drops-badly").await.is_ok());
}

/// An error of the app that asks the registry when it is dropped.
struct Failure(Asks);

impl std::fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Failure")
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "it fails, and asks {} times", self.0.asked.load(Ordering::Relaxed))
    }
}

impl std::error::Error for Failure {}

/// Gets a store with another payload when it is dropped.
struct GetsAgain(StoreRegistry, Arc<AtomicUsize>);

impl Drop for GetsAgain {
    fn drop(&mut self) {
        let got = poll_once(&mut self.0.get::<NoteStore>("n").sync_payload(Payload::new().with("again", true)));
        self.1.fetch_add(usize::from(got.is_ready()), Ordering::Relaxed);
    }
}

#[tokio::test]
async fn rule_07_a_payload_that_is_replaced_may_get_its_store_as_it_is_dropped() {
    let bench = Bench::new();
    let got = Arc::new(AtomicUsize::new(0));
    let _handle = bench.get::<NoteStore>("n").await.unwrap();
    let again = GetsAgain(StoreRegistry::clone(&bench), Arc::clone(&got));
    let payload = Payload::provider(move || {
        let _ = &again;
        async { Ok(Payload::new()) }
    });
    drop(bench.get::<NoteStore>("n").sync_payload(payload).await.unwrap());
    let later = Payload::provider(|| async { Ok(Payload::new()) });
    drop(bench.get::<NoteStore>("n").sync_payload(later).await.unwrap());
    assert_eq!(got.load(Ordering::Relaxed), 1);
}

/// The waker of a task that waits for the same load twice, when it is the last thing that holds the task.
struct HoldsTask(std::sync::Mutex<Option<larder::Get<HookedStore>>>);

impl std::task::Wake for HoldsTask {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
    }
}

#[tokio::test]
async fn rule_07_wakers_are_dropped_under_no_lock() {
    let bench = Bench::new();
    let _gate = hold("wakers");
    let waits = || {
        let mut get = bench.get::<HookedStore>("wakers");
        assert!(poll_once(&mut get).is_pending());
        std::task::Waker::from(Arc::new(HoldsTask(std::sync::Mutex::new(Some(get)))))
    };
    let mut get = bench.get::<HookedStore>("wakers");
    for turn in 0..3 {
        let polled = std::pin::Pin::new(&mut get).poll(&mut std::task::Context::from_waker(&waits()));
        assert!(polled.is_pending());
        assert_eq!(bench.stats_of("hooked", "wakers").observers, 2, "in turn {turn}");
    }
    drop(get);
    bench.settle().await;
    assert!(!bench.has::<HookedStore>("wakers"));
}
