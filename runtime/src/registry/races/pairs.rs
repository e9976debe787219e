//! Every pair of what can happen to a store at the same time, in every situation that it can happen in.

use std::task::{Context, Poll, Waker};

use shuttle::{future::block_on, thread};

use super::bench::{Bench, GC_TIME, ID, NoteEvent, NoteStore, explore, seed, times};
use crate::{
    CommitErrorKind, LoadError, StoreError,
    prelude::*,
    registry::{Get, StoreState},
    testing::ManualClock,
};

/// What can happen at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Get,
    LastDrop,
    Timer,
    Evict,
    Clear,
    Cancel,
    Shutdown,
    RegistryDrop,
}

const ACTS: [Act; 8] =
    [Act::Get, Act::LastDrop, Act::Timer, Act::Evict, Act::Clear, Act::Cancel, Act::Shutdown, Act::RegistryDrop];

/// Where the store is when two acts begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Situation {
    /// Not there, unless somebody is about to drop the last handle.
    Fresh,
    /// Somebody holds a handle all the time.
    Observed,
    /// Its clock has been started.
    Idle,
    /// Somebody waits for it.
    Loading,
    /// It was evicted, and its file may still be open.
    Closing,
}

const SITUATIONS: [Situation; 5] =
    [Situation::Fresh, Situation::Observed, Situation::Idle, Situation::Loading, Situation::Closing];

/// Schedules of each pair in each situation.
const SCHEDULES: usize = 32;

/// Of all 64 pairs in 5 situations.
const ALL_SCHEDULES: usize = 10_240;

/// What may become of calls, by the acts of the race.
#[derive(Clone, Copy)]
struct May {
    be_evicted: bool,
    be_shut_down: bool,
}

impl May {
    fn of(acts: [Act; 2]) -> Self {
        Self {
            be_evicted: acts.iter().any(|act| matches!(act, Act::Evict | Act::Clear)),
            be_shut_down: acts.iter().any(|act| matches!(act, Act::Shutdown | Act::RegistryDrop)),
        }
    }

    fn get(self, got: Result<StoreHandle<NoteStore>, LoadError>) -> Option<StoreHandle<NoteStore>> {
        match got {
            Ok(handle) => Some(handle),
            Err(LoadError::Cancelled { .. }) if self.be_evicted => None,
            Err(LoadError::ShutDown { .. }) if self.be_shut_down => None,
            Err(error) => panic!("not to be expected here: {error}"),
        }
    }

    /// Whoever has a handle can commit, unless the store was taken away.
    fn commit(self, handle: &StoreHandle<NoteStore>) {
        let Err(error) = handle.commit(NoteEvent::Written { number: next_number() }) else { return };
        match error.kind() {
            CommitErrorKind::Store(StoreError::Evicted { .. }) if self.be_evicted => {}
            CommitErrorKind::Store(StoreError::Closed { .. }) if self.be_shut_down => {}
            other => panic!("not to be expected here: {other:?}"),
        }
    }

    fn use_and_drop(self, got: Result<StoreHandle<NoteStore>, LoadError>) {
        if let Some(handle) = self.get(got) {
            let clone = handle.clone();
            drop(handle);
            self.commit(&clone);
        }
    }
}

fn next_number() -> i64 {
    use std::sync::atomic::{AtomicI64, Ordering};
    static NEXT: AtomicI64 = AtomicI64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn poll_once(get: &mut Get<NoteStore>) -> Poll<Result<StoreHandle<NoteStore>, LoadError>> {
    std::pin::Pin::new(get).poll(&mut Context::from_waker(Waker::noop()))
}

/// An act that is ready to run on a thread of its own. It owns a clone of the registry only where the app would need one.
fn prepare(
    act: Act,
    may: May,
    registry: &StoreRegistry,
    clock: &ManualClock,
    held: Option<StoreHandle<NoteStore>>,
) -> Box<dyn FnOnce() + Send> {
    match act {
        Act::Get => {
            let get = registry.get::<NoteStore>(ID);
            Box::new(move || may.use_and_drop(block_on(get)))
        }
        Act::LastDrop => Box::new(move || drop(held)),
        Act::Timer => {
            let clock = clock.clone();
            Box::new(move || clock.jump(GC_TIME))
        }
        Act::Cancel => {
            let mut get = registry.get::<NoteStore>(ID);
            Box::new(move || {
                if let Poll::Ready(got) = poll_once(&mut get) {
                    may.use_and_drop(got);
                }
                thread::yield_now();
            })
        }
        Act::Evict | Act::Clear | Act::Shutdown | Act::RegistryDrop => with_registry(act, registry.clone()),
    }
}

fn with_registry(act: Act, registry: StoreRegistry) -> Box<dyn FnOnce() + Send> {
    match act {
        Act::Evict => Box::new(move || {
            let evicted = registry.evict::<NoteStore>(ID);
            drop(registry);
            block_on(evicted).unwrap();
        }),
        Act::Clear => Box::new(move || {
            let cleared = registry.clear();
            drop(registry);
            block_on(cleared).unwrap();
        }),
        Act::Shutdown => Box::new(move || {
            let ended = registry.shutdown(GC_TIME * 100);
            drop(registry);
            let report = block_on(ended);
            assert!(report.is_clean(), "{report:?}");
        }),
        _ => Box::new(move || drop(registry)),
    }
}

/// What the situation leaves in somebody's hands during the race.
struct Bystander {
    held: Option<StoreHandle<NoteStore>>,
    waiting: Option<Get<NoteStore>>,
}

fn get(registry: &StoreRegistry) -> StoreHandle<NoteStore> {
    block_on(registry.get::<NoteStore>(ID)).unwrap()
}

/// Brings the store into the situation. The handle for [`Act::LastDrop`] comes from before it.
fn arrange(
    situation: Situation,
    last_drop: bool,
    registry: &StoreRegistry,
) -> (Option<StoreHandle<NoteStore>>, Bystander) {
    let mut bystander = Bystander { held: None, waiting: None };
    if situation == Situation::Idle {
        drop(get(registry));
    }
    let last = last_drop.then(|| get(registry));
    match situation {
        Situation::Fresh | Situation::Idle => {}
        Situation::Observed => bystander.held = Some(get(registry)),
        Situation::Loading => {
            block_on(registry.evict::<NoteStore>(ID)).unwrap();
            let mut waiting = registry.get::<NoteStore>(ID);
            match poll_once(&mut waiting) {
                Poll::Pending => bystander.waiting = Some(waiting),
                // The load was as quick as the first poll.
                Poll::Ready(got) => bystander.held = got.ok(),
            }
        }
        Situation::Closing => {
            if last.is_none() {
                drop(get(registry));
            }
            drop(registry.evict::<NoteStore>(ID));
        }
    }
    (last, bystander)
}

fn race(situation: Situation, acts: [Act; 2]) {
    let (bench, registry) = Bench::new();
    let may = May::of(acts);
    let (last, bystander) = arrange(situation, acts.contains(&Act::LastDrop), &registry);
    let mut last = last;
    let prepared = acts.map(|act| {
        // Two last drops: each has a handle, and whichever goes second is the last.
        let held = if acts == [Act::LastDrop; 2] { last.clone() } else { last.take_if(|_| act == Act::LastDrop) };
        prepare(act, may, &registry, &bench.clock, held)
    });
    drop(last);
    let registry = (!acts.contains(&Act::RegistryDrop)).then_some(registry);
    let threads = prepared.map(|act| thread::spawn(act));
    for thread in threads {
        thread.join().unwrap();
    }
    if let Some(handle) = bystander.held {
        may.commit(&handle);
        if let Some(registry) = registry.as_ref().filter(|_| !may.be_evicted && !may.be_shut_down) {
            assert_eq!(registry.stats().stores[0].observers, 1);
        }
    }
    if let Some(waiting) = bystander.waiting {
        may.use_and_drop(block_on(waiting));
    }
    if let Some(registry) = registry {
        if may.be_shut_down { was_shut_down(&bench, registry) } else { goes_on(&bench, registry) }
    }
    bench.end();
}

/// After the race the registry works as if nothing had been.
fn goes_on(bench: &Bench, registry: StoreRegistry) {
    for store in registry.stats().stores {
        assert_eq!(store.observers, 0, "{store:?}");
        assert!(matches!(store.state, StoreState::Inactive | StoreState::Closing), "{store:?}");
    }
    let handle = get(&registry);
    handle.commit(NoteEvent::Written { number: next_number() }).unwrap();
    let stats = registry.stats().stores;
    assert_eq!(stats.len(), 1);
    assert_eq!((stats[0].state, stats[0].observers, stats[0].gc_deadline), (StoreState::Active, 1, None));
    drop(handle);
    let stats = registry.stats().stores;
    assert_eq!((stats[0].state, stats[0].observers, stats[0].gc_deadline), (StoreState::Inactive, 0, Some(GC_TIME)));
    block_on(bench.clock.advance(GC_TIME));
    assert_eq!(registry.stats().stores, [], "the clock ran out");
}

fn was_shut_down(bench: &Bench, registry: StoreRegistry) {
    let got = block_on(registry.get::<NoteStore>(ID));
    assert!(matches!(got, Err(LoadError::ShutDown { .. })));
    block_on(bench.clock.settle());
    assert_eq!(registry.stats().stores, []);
}

/// Says which race failed.
struct Which {
    seed: u64,
    situation: Situation,
    acts: [Act; 2],
}

impl Drop for Which {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{:?} in {:?} failed; run again with LARDER_SEED={}", self.acts, self.situation, self.seed);
        }
    }
}

#[test]
fn every_pair_of_acts_in_every_situation_keeps_the_rules() {
    let seed = seed();
    println!("seed {seed}");
    let mut total = 0;
    let mut pairs = 0;
    for first in ACTS {
        for second in ACTS {
            pairs += 1;
            for situation in SITUATIONS {
                let _which = Which { seed, situation, acts: [first, second] };
                total += explore(SCHEDULES * times(), seed, move || race(situation, [first, second]));
            }
            println!("{first:?} and {second:?}: {total} schedules so far");
        }
    }
    println!("{pairs} pairs, {} situations, {total} schedules", SITUATIONS.len());
    assert_eq!((pairs, total), (64, ALL_SCHEDULES * times()));
}
