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
    let bench = Bench::with(|builder| builder.in_memory().defaults(synced(&fake)));
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
    let bench = Bench::with(|builder| builder.in_memory().capacity(1));
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
