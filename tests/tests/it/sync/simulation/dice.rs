//! Numbers at random, the same ones for a seed.

use std::sync::{Arc, Mutex};

#[derive(Clone)]
pub(super) struct Dice(Arc<Mutex<u64>>);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed)))
    }

    /// Below `sides`.
    pub(super) fn roll(&self, sides: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % sides
    }

    pub(super) fn one_in(&self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    /// An index of so many things.
    pub(super) fn index(&self, count: usize) -> usize {
        usize::try_from(self.roll(count as u64)).unwrap()
    }

    /// From here on others, which follow from it.
    pub(super) fn fork(&self) -> Self {
        Self::new(self.roll(u64::MAX))
    }
}
