//! The timers of all stores: one heap, filled lazily. A store that is dropped and got again does not touch it. Pure.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::clock::Tick;

/// Due times of slots. A slot has at most one live record, its earliest; a later due time is looked up when that one comes up.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Tick, u32)>>,
    /// Per slot the due time of its live record.
    live: Vec<Option<Tick>>,
}

impl Timers {
    /// The slot is due at `due`. Whether that is before all others, so that whoever sleeps must wake up earlier.
    pub(crate) fn set(&mut self, slot: u32, due: Tick) -> bool {
        let at = slot as usize;
        if self.live.len() <= at {
            self.live.resize(at + 1, None);
        }
        if due == Tick::NEVER || self.live[at].is_some_and(|earlier| earlier <= due) {
            return false;
        }
        self.live[at] = Some(due);
        let first = self.next().is_none_or(|next| due < next);
        self.heap.push(Reverse((due, slot)));
        self.compact();
        first
    }

    /// The earliest record, live or not.
    pub(crate) fn next(&self) -> Option<Tick> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes a slot whose live record is due.
    pub(crate) fn pop(&mut self, now: Tick) -> Option<u32> {
        while self.next().is_some_and(|due| due <= now) {
            let Some(Reverse((due, slot))) = self.heap.pop() else { break };
            let live = &mut self.live[slot as usize];
            if *live == Some(due) {
                *live = None;
                return Some(slot);
            }
        }
        None
    }

    /// Records that an earlier one replaced stay in the heap; they may be as many as the live ones, not more.
    fn compact(&mut self) {
        if self.heap.len() <= 2 * self.live.len() + 16 {
            return;
        }
        let live = self.live.iter().zip(0_u32..);
        self.heap = live.filter_map(|(due, slot)| due.map(|due| Reverse((due, slot)))).collect();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Tick {
        Tick::ZERO.after(std::time::Duration::from_nanos(nanos))
    }

    #[test]
    fn a_later_due_time_of_a_slot_does_not_touch_the_heap() {
        let mut timers = Timers::default();
        assert!(timers.set(0, at(10)));
        for later in 11..1_000 {
            assert!(!timers.set(0, at(later)));
        }
        assert_eq!(timers.len(), 1);
        assert_eq!(timers.pop(at(9)), None);
        assert_eq!(timers.pop(at(10)), Some(0));
        assert_eq!(timers.pop(at(2_000)), None);
    }

    #[test]
    fn replaced_records_do_not_pile_up() {
        let mut timers = Timers::default();
        for turn in 0..10_000 {
            timers.set(0, at(1_000_000 + turn));
            timers.set(0, at(turn));
            assert_eq!(timers.pop(at(turn)), Some(0));
        }
        assert!(timers.len() < 32, "{} records", timers.len());
    }

    #[test]
    fn slots_come_up_in_the_order_of_their_due_times() {
        let mut timers = Timers::default();
        assert!(timers.set(3, at(30)));
        assert!(timers.set(1, at(10)));
        assert!(!timers.set(2, at(20)));
        assert!(!timers.set(4, Tick::NEVER));
        let order: Vec<u32> = std::iter::from_fn(|| timers.pop(at(100))).collect();
        assert_eq!(order, [1, 2, 3]);
    }
}
