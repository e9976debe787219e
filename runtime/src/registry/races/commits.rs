//! Commits of several threads while their store is taken away: everybody gets an answer, and what was acknowledged is in the log.

use std::sync::Arc;

use futures_core::Stream;
use shuttle::{future::block_on, thread};

use super::bench::{Bench, ID, NoteEvent, NoteStore, explore, seed, times};
use crate::{CommitErrorKind, EventNumber, StoreError, prelude::*};

const SCHEDULES: usize = 2_000;

/// Commits until the store is taken away, or a few times; how many were acknowledged.
fn commit(store: &StoreHandle<NoteStore>, thread: i64) -> u64 {
    for at in 0..3 {
        let number = 2 * (10 * thread + at);
        match store.commit([NoteEvent::Written { number }, NoteEvent::Written { number: number + 1 }]) {
            Ok(_) => {}
            Err(error) => {
                let taken = matches!(error.kind(), CommitErrorKind::Store(StoreError::Evicted { .. }));
                assert!(taken, "{error}");
                assert_eq!(error.into_events().len(), 2);
                return 2 * at.unsigned_abs();
            }
        }
    }
    6
}

fn race(evicts: bool) {
    let (bench, registry) = Bench::new();
    let store = block_on(registry.get::<NoteStore>(ID)).unwrap();
    let engine = Arc::clone(store.engine());
    let mut events = store.events(EventNumber::ZERO);
    let threads: Vec<_> = (1..=3)
        .map(|thread| {
            let store = store.clone();
            thread::spawn(move || commit(&store, thread))
        })
        .collect();
    // It hears of every commit, until the store is taken away.
    let listener = thread::spawn(move || {
        let mut heard = 0;
        while heard < 18 {
            match block_on(std::future::poll_fn(|context| std::pin::Pin::new(&mut events).poll_next(context))) {
                Some(Ok(_)) => heard += 1,
                Some(Err(error)) => {
                    assert!(matches!(error, StoreError::Evicted { .. }), "{error}");
                    break;
                }
                None => break,
            }
        }
        heard
    });
    drop(store);
    if evicts {
        block_on(registry.evict::<NoteStore>(ID)).unwrap();
    }
    let acknowledged: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    let heard = listener.join().unwrap();
    assert_eq!(engine.stats().events, acknowledged, "what is in the log is what was acknowledged");
    assert!(heard <= acknowledged && (evicts || heard == 18), "{heard} of {acknowledged}");
    drop(engine);
    drop(block_on(registry.get::<NoteStore>(ID)).unwrap());
    drop(registry);
    bench.end();
}

#[test]
fn every_commit_has_an_answer_while_the_store_is_evicted() {
    let seed = seed();
    println!("seed {seed}");
    let ran = explore(SCHEDULES * times(), seed, || race(true));
    println!("{ran} schedules of three committers, a listener and an eviction");
}

#[test]
fn every_commit_has_an_answer_and_is_heard_of() {
    let seed = seed();
    println!("seed {seed}");
    let ran = explore(SCHEDULES / 4 * times(), seed, || race(false));
    println!("{ran} schedules of three committers and a listener");
}
