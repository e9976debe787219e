//! Which commits share a transaction, and what becomes of each: pure.

/// Most events of one shared transaction. A single commit may have more.
pub(super) const MAX_GROUP_EVENTS: usize = 4_000;

/// How many of the waiting commits join a group that has `own` events already; at least one joins an empty group.
pub(super) fn group_size(own: usize, waiting: impl IntoIterator<Item = usize>) -> usize {
    let mut events = own;
    let fits = |count: &usize| {
        let joins = events == 0 || events + count <= MAX_GROUP_EVENTS;
        events += count;
        joins
    };
    waiting.into_iter().take_while(fits).count()
}

/// What becomes of a commit in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not tried yet.
    Waiting,
    /// Its savepoint is released; it counts when the transaction commits.
    Applied,
    /// It failed, and that is its answer.
    Failed,
    /// The transaction it was to be part of is gone: it is tried again in one of its own.
    Alone,
}

/// The commits of one transaction.
#[derive(Debug)]
pub(super) struct Group {
    fates: Vec<Fate>,
}

impl Group {
    pub(super) fn new(commits: usize) -> Self {
        Self { fates: vec![Fate::Waiting; commits] }
    }

    /// The next one to try in the shared transaction.
    pub(super) fn next(&self) -> Option<usize> {
        self.fates.iter().position(|fate| *fate == Fate::Waiting)
    }

    pub(super) fn applied(&mut self, at: usize) {
        self.fates[at] = Fate::Applied;
    }

    /// It failed; only its own savepoint was rolled back.
    pub(super) fn failed(&mut self, at: usize) {
        self.fates[at] = Fate::Failed;
    }

    /// SQLite rolled back all of the transaction: who has no answer yet is tried alone.
    pub(super) fn rolled_back(&mut self) {
        for fate in &mut self.fates {
            if *fate != Fate::Failed {
                *fate = Fate::Alone;
            }
        }
    }

    pub(super) fn fates(&self) -> &[Fate] {
        &self.fates
    }
}

#[cfg(test)]
mod tests {
    use super::{Fate::*, *};

    #[test]
    fn a_group_takes_what_fits_and_at_least_one() {
        assert_eq!(group_size(1, [1, 1, 1]), 3);
        assert_eq!(group_size(0, []), 0);
        assert_eq!(group_size(0, [MAX_GROUP_EVENTS + 1, 1]), 1);
        assert_eq!(group_size(1, [MAX_GROUP_EVENTS - 1, 1]), 1);
        assert_eq!(group_size(MAX_GROUP_EVENTS, [1]), 0);
    }

    #[test]
    fn an_error_is_of_one_commit_only() {
        let mut group = Group::new(3);
        group.applied(0);
        group.failed(1);
        assert_eq!(group.next(), Some(2));
        group.applied(2);
        assert_eq!((group.next(), group.fates()), (None, [Applied, Failed, Applied].as_slice()));
    }

    #[test]
    fn after_a_whole_rollback_the_others_are_tried_alone() {
        let mut group = Group::new(4);
        group.applied(0);
        group.failed(1);
        group.failed(2);
        group.rolled_back();
        assert_eq!((group.next(), group.fates()), (None, [Alone, Failed, Failed, Alone].as_slice()));
    }
}
