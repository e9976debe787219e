//! Random sequences of everything that can happen to a few stores: the entry machine and the model hear the same and must say the same.

use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner},
};

use super::{
    super::{Phase, Tick},
    machine::Machine,
    model::Model,
};
use crate::options::GcTime;

/// Stores of a sequence.
pub(super) const STORES: usize = 3;

/// Files that may be open at the same time.
pub(super) const PLACES: usize = 2;

const SEQUENCES: u32 = 20_000;

/// Somebody who asks, waits and holds; a clone has a name of its own.
pub(super) type Name = u32;

/// What happens. A `pick` chooses among those it can happen to, in the order of their names or numbers.
#[derive(Clone, Debug)]
enum Op {
    Get {
        store: usize,
        gc_time: Option<GcTime>,
    },
    Preload {
        store: usize,
        gc_time: Option<GcTime>,
    },
    /// A handle is cloned.
    Clone {
        pick: usize,
    },
    /// A handle is dropped, be its load over or not.
    Drop {
        pick: usize,
    },
    /// A waiter goes away, or its token is cancelled.
    Cancel {
        pick: usize,
    },
    /// A running load ends well.
    Loads {
        pick: usize,
    },
    Fails {
        pick: usize,
    },
    Panics {
        pick: usize,
    },
    /// A file that is being closed is closed, or a cancelled load has ended.
    Closes {
        pick: usize,
    },
    Evict {
        store: usize,
    },
    Clear,
    Tick {
        seconds: u64,
    },
    Defaults {
        gc_time: GcTime,
    },
    Shutdown,
}

/// What anybody outside hears.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    /// A file is being opened.
    Opens(usize),
    /// A load is stopped.
    Cancels(usize),
    /// A file is being closed.
    Closes(usize),
    Got(Name),
    /// The load failed, for all who waited.
    Failed(Name),
    /// The store was evicted before it was loaded.
    Cancelled(Name),
    /// Observed stores take all places.
    Refused(Name),
    ShutDown(Name),
}

/// What can be seen of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) phase: Phase,
    pub(super) observers: usize,
}

/// An op from random bits: much cheaper to make, and to make smaller, than a tree of strategies.
fn op(bits: u32) -> Op {
    let (store, pick) = ((bits >> 8) as usize % STORES, (bits >> 8) as usize % 8);
    let seconds = u64::from(bits >> 16) % 100;
    let gc_time = match (bits >> 24) % 8 {
        0 | 1 => None,
        2 => Some(GcTime::ZERO),
        3 => Some(GcTime::NEVER),
        _ => Some(GcTime::seconds(seconds)),
    };
    match bits % 64 {
        0..10 => Op::Get { store, gc_time },
        10..15 => Op::Preload { store, gc_time },
        15..18 => Op::Clone { pick },
        18..29 => Op::Drop { pick },
        29..34 => Op::Cancel { pick },
        34..44 => Op::Loads { pick },
        44 => Op::Fails { pick },
        45 => Op::Panics { pick },
        46..52 => Op::Closes { pick },
        52..55 => Op::Evict { store },
        55 => Op::Clear,
        56..62 => Op::Tick { seconds: seconds / 2 },
        62 => Op::Defaults { gc_time: GcTime::seconds(seconds) },
        _ if seconds < 10 => Op::Shutdown,
        _ => Op::Clear,
    }
}

/// Both sides of a sequence.
#[derive(Default)]
struct Sides {
    machine: Machine,
    model: Model,
    now: Tick,
    last_name: Name,
}

fn picked<T: Copy>(among: &[T], pick: usize) -> Option<T> {
    (!among.is_empty()).then(|| among[pick % among.len()])
}

impl Sides {
    fn name(&mut self) -> Name {
        self.last_name += 1;
        self.last_name
    }

    /// Lets it happen on both sides: what each says. An op that can happen to nobody does nothing.
    fn step(&mut self, op: &Op) -> (Vec<Said>, Vec<Said>) {
        let now = self.now;
        let Self { machine, model, .. } = self;
        match *op {
            Op::Get { store, gc_time } | Op::Preload { store, gc_time } => {
                let (name, stays) = (self.name(), matches!(op, Op::Get { .. }));
                let said = self.machine.get(store, name, gc_time, stays, now);
                (said, self.model.get(store, name, gc_time, stays, now))
            }
            Op::Clone { pick } => match picked(&model.handles(), pick) {
                Some(of) => {
                    let name = self.name();
                    self.machine.clone_handle(of, name);
                    self.model.clone_handle(of, name);
                    Default::default()
                }
                None => Default::default(),
            },
            Op::Drop { pick } => picked(&model.handles(), pick)
                .map(|name| (machine.drop_handle(name, now), model.drop_handle(name, now)))
                .unwrap_or_default(),
            Op::Cancel { pick } => {
                picked(&model.waiters(), pick).map(|name| (machine.leave(name), model.leave(name))).unwrap_or_default()
            }
            Op::Loads { pick } => picked(&model.opening(), pick)
                .map(|store| (machine.loads(store, now), model.loads(store, now)))
                .unwrap_or_default(),
            // What a panic does to a load is what a failure does.
            Op::Fails { pick } | Op::Panics { pick } => picked(&model.opening(), pick)
                .map(|store| (machine.ends(store), model.fails(store)))
                .unwrap_or_default(),
            Op::Closes { pick } => picked(&model.closing(), pick)
                .map(|store| (machine.ends(store), model.closed(store)))
                .unwrap_or_default(),
            Op::Evict { store } => (machine.evict(store), model.evict(store)),
            Op::Clear => (machine.clear(), model.clear()),
            Op::Tick { seconds } => {
                let now = now.after(std::time::Duration::from_secs(seconds));
                self.now = now;
                (machine.tick(now), model.tick(now))
            }
            Op::Defaults { gc_time } => {
                (machine.inherited, model.inherited) = (gc_time, gc_time);
                Default::default()
            }
            Op::Shutdown => (machine.shutdown(), model.shutdown()),
        }
    }
}

fn sequence(ops: &[Op]) -> Result<(), TestCaseError> {
    let mut sides = Sides::default();
    for (at, op) in ops.iter().enumerate() {
        let (mut machine, mut model) = sides.step(op);
        machine.sort();
        model.sort();
        prop_assert_eq!(machine, model, "what is said at {}: {:?}", at, op);
        for store in 0..STORES {
            prop_assert_eq!(
                sides.machine.view(store),
                sides.model.view(store),
                "store {} after {}: {:?}",
                store,
                at,
                op
            );
        }
        prop_assert!(sides.machine.open_files() <= PLACES, "too many files after {}: {:?}", at, op);
    }
    Ok(())
}

#[test]
fn random_sequences_agree_with_the_model() {
    let given = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    println!("{SEQUENCES} sequences, seed {seed}");
    let config =
        Config { cases: SEQUENCES, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() };
    let ops = |bits: Vec<u32>| bits.into_iter().map(op).collect::<Vec<_>>();
    let bits = prop::collection::vec(any::<u32>(), 1..60);
    match TestRunner::new(config).run(&bits, |bits| sequence(&ops(bits))) {
        Ok(()) => {}
        Err(TestError::Fail(why, bits)) => panic!("{why}\nLARDER_SEED={seed}, made smaller: {:#?}", ops(bits)),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}
