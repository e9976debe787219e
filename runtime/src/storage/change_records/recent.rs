//! Change records that are not in the file yet: of what was committed since the store was last idle.

use std::collections::VecDeque;

use crate::seeded;

/// Most records in memory: about twice as many as a rebase undoes row by row, for those that it undoes stay until it is committed.
const MOST_RECORDS: usize = 2_048;

/// Most bytes of them: 256 KiB.
const MOST_BYTES: usize = 256 << 10;

/// The record of the event at a place.
type Record = (i64, Box<[u8]>);

/// Records in memory, in the order of their places.
#[derive(Default)]
pub(super) struct Recent {
    committed: VecDeque<Record>,
    /// Of the transaction that runs.
    running: Vec<Record>,
    /// Committed ones from this place on go when the transaction that runs is committed.
    undone_from: Option<i64>,
    bytes: usize,
}

impl Recent {
    /// Keeps a record of the transaction that runs; `false` when there is no room for it.
    pub(super) fn keep(&mut self, place: i64, record: &[u8]) -> bool {
        let fits = !self.is_full() && self.bytes + record.len() <= MOST_BYTES;
        if fits {
            self.bytes += record.len();
            self.running.push((place, record.into()));
        }
        fits
    }

    /// Whether there is no room for another record, however small.
    pub(super) fn is_full(&self) -> bool {
        self.committed.len() + self.running.len() >= MOST_RECORDS || self.bytes >= MOST_BYTES
    }

    /// The committed record of a place.
    pub(super) fn get(&self, place: i64) -> Option<&[u8]> {
        let at = self.committed.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(&self.committed[at].1)
    }

    /// All committed records.
    pub(super) fn committed(&self) -> impl Iterator<Item = (i64, &[u8])> {
        self.committed.iter().map(|(place, record)| (*place, &**record))
    }

    /// The events from a place on are undone by the transaction that runs.
    pub(super) fn undo_from(&mut self, place: i64) {
        self.undone_from = Some(place);
    }

    /// Events behind a place were taken back, which the transaction that runs had appended.
    pub(super) fn take_back(&mut self, place: i64) {
        let stay = self.running.iter().take_while(|(of, _)| *of <= place).count();
        self.bytes -= self.running.drain(stay..).map(|(_, record)| record.len()).sum::<usize>();
    }

    /// The transaction is committed.
    pub(super) fn commit(&mut self) {
        if let Some(first) = self.undone_from.take() {
            while let Some((_, record)) = self.committed.pop_back_if(|(place, _)| *place >= first) {
                self.bytes -= record.len();
            }
        }
        self.committed.extend(self.running.drain(..));
    }

    /// The transaction is rolled back.
    pub(super) fn roll_back(&mut self) {
        if !seeded::bug("change-record-of-a-failed-commit") {
            self.take_back(i64::MIN);
        }
        self.undone_from = None;
    }

    /// Forgets the committed records up to a place.
    pub(super) fn forget_to(&mut self, place: i64) {
        while let Some((_, record)) = self.committed.pop_front_if(|(of, _)| *of <= place) {
            self.bytes -= record.len();
        }
        if self.committed.is_empty() {
            self.committed = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(recent: &mut Recent, places: impl IntoIterator<Item = i64>) {
        places.into_iter().for_each(|place| assert!(recent.keep(place, &place.to_le_bytes())));
    }

    fn places(recent: &Recent) -> Vec<i64> {
        recent.committed().map(|(place, _)| place).collect()
    }

    #[test]
    fn records_are_there_once_their_transaction_is_committed() {
        let mut recent = Recent::default();
        kept(&mut recent, [1, 2]);
        assert_eq!(recent.get(1), None);
        recent.commit();
        kept(&mut recent, [3, 4, 5]);
        recent.take_back(3);
        kept(&mut recent, [4]);
        assert_eq!((places(&recent), recent.bytes), (vec![1, 2], 32));
        recent.commit();
        kept(&mut recent, [5]);
        recent.roll_back();
        assert_eq!((places(&recent), recent.bytes), (vec![1, 2, 3, 4], 32));
        assert_eq!(recent.get(4), Some(&4_i64.to_le_bytes()[..]));
        recent.forget_to(3);
        assert_eq!((places(&recent), recent.bytes), (vec![4], 8));
    }

    #[test]
    fn what_a_rebase_undoes_stays_until_it_is_committed() {
        let mut recent = Recent::default();
        kept(&mut recent, 1..=4);
        recent.commit();
        for ends in [Recent::roll_back as fn(&mut Recent), Recent::commit] {
            recent.undo_from(3);
            kept(&mut recent, [5, 6]);
            assert_eq!(recent.get(3), Some(&3_i64.to_le_bytes()[..]));
            ends(&mut recent);
        }
        assert_eq!((places(&recent), recent.bytes), (vec![1, 2, 5, 6], 32));
        kept(&mut recent, [7]);
        recent.commit();
        assert_eq!(places(&recent), [1, 2, 5, 6, 7], "undone once");
    }

    #[test]
    fn there_is_room_for_so_many_records_and_so_many_bytes() {
        let mut recent = Recent::default();
        kept(&mut recent, 1..=MOST_RECORDS as i64);
        assert!(recent.is_full() && !recent.keep(i64::MAX, &[]));
        recent.roll_back();
        assert!(!recent.is_full() && !recent.keep(1, &vec![0; MOST_BYTES + 1]) && recent.keep(1, &vec![0; MOST_BYTES]));
        assert!(recent.is_full());
    }
}
