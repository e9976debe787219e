//! Whether commits of a store that was not closed are lost: what its `-wal` has is compared with what the `-shm` says it had.

use super::{Loss, NoIndex, seal::is_open};
use crate::{
    options::Durability,
    seeded,
    storage::{
        lock::{Marker, MarkerState},
        wal::{Index, WalScan},
    },
};

/// What is known to be lost, or may be, of what a `-wal` that fits the file had; `epoch` is the file's, as SQLite reads it through what is
/// taken of the `-wal`. What a loss of power took was not promised where `durability` does not wait for the disk, and is said.
pub(crate) fn lost(marker: Marker, epoch: u64, wal: Option<&WalScan>, durability: Durability) -> Option<Loss> {
    let wal = wal?;
    let closed = !is_open(epoch) && epoch >= marker.epoch;
    let index = wal.index_of_round().filter(|_| !seeded::bug("wal-cut-unseen"));
    if let Some(index) = index.filter(|index| u64::from(index.moved) > wal.committed) {
        // What can be read of the `-wal` says nothing of what the file has of it.
        return index.has_more_than(0).then_some(Loss::Uncounted);
    }
    if wal.commits_behind > 0 {
        return Some(Loss::AtLeast(wal.commits_behind));
    }
    // From the mark on there is a commit in the `-wal`, until it is in the file.
    let empty = wal.committed == 0 && !closed && marker.state == MarkerState::Open;
    let missed = index.is_some_and(|index| index.has_more_than(wal.committed))
        || (!closed && wal.index_of_later_round().is_some_and(|index| index.has_more_than(0)));
    if empty || missed {
        return Some(Loss::Uncounted);
    }
    let power_takes_some = durability == Durability::Process;
    match wal.index {
        // The last transaction is there: the even epoch is written by no other. Or there is none.
        _ if closed || wal.committed == 0 => None,
        // A marker of an earlier time was left by a loss of power, and the name of the `-shm` may be among what was not on disk yet.
        Index::Missing if marker.state == MarkerState::Open || power_takes_some => {
            Some(Loss::Possible(NoIndex::Missing))
        }
        Index::Unreadable if power_takes_some => Some(Loss::Possible(NoIndex::Unreadable)),
        Index::Missing | Index::Unreadable | Index::Says(_) => None,
    }
}

/// Whether the file may have pages of commits that are lost: a checkpoint moved them, and what is taken of the `-wal` lies on top. Only
/// reading the whole log tells, and only building the tables anew makes them whole. A loss of power alone does not do that: what is moved
/// was synced in the `-wal` before.
pub(super) fn may_be_mixed(loss: Loss, wal: &WalScan) -> bool {
    match (loss, wal.index_of_round()) {
        (Loss::Possible(NoIndex::Unreadable), _) => false,
        (_, Some(index)) => index.is_between_commits(wal.committed),
        (_, None) => true,
    }
}
