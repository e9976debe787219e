//! Fewer places than stores that are wanted: everybody gets a store or hears that all places are taken, and nobody waits for ever.

use shuttle::{future::block_on, thread};

use super::bench::{Bench, GC_TIME, NoteEvent, NoteStore, explore, seed, times};
use crate::{LoadError, OpenFilesLimit, prelude::*, registry::StoreState};

const SCHEDULES: usize = 1_000;

/// Gets a store and uses it. Whoever is refused must have found all places observed.
fn use_one(registry: &StoreRegistry, id: &str, number: i64) -> bool {
    match block_on(registry.get::<NoteStore>(id)) {
        Ok(handle) => {
            handle.commit(NoteEvent::Written { number }).unwrap();
            true
        }
        Err(LoadError::TooManyOpenFiles { limit: OpenFilesLimit::Capacity { capacity: 1, .. }, .. }) => false,
        Err(error) => panic!("not to be expected here: {error}"),
    }
}

fn race() {
    let (bench, registry) = Bench::with(|builder| builder.capacity(1));
    let others = [("note:1", 1), ("note:2", 2)].map(|(id, number)| {
        let registry = registry.clone();
        thread::spawn(move || use_one(&registry, id, number))
    });
    let clock = bench.clock.clone();
    let timer = thread::spawn(move || clock.jump(GC_TIME));
    // It wants a place for a moment, and gives it back.
    registry.preload::<NoteStore>("note:3").detach();
    for other in others {
        other.join().unwrap();
    }
    timer.join().unwrap();
    block_on(bench.clock.settle());
    assert!(registry.stats().stores.iter().all(|store| store.state == StoreState::Inactive));
    assert!(use_one(&registry, "note:4", 4), "nobody observes a store, so there is a place");
    drop(registry);
    bench.end();
}

#[test]
fn whoever_wants_a_place_gets_one_or_is_refused() {
    let seed = seed();
    println!("seed {seed}");
    let ran = explore(SCHEDULES * times(), seed, race);
    println!("{ran} schedules of four stores and one place");
}
