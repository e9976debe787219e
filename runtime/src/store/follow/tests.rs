//! Receipts beside a model: rebases of every kind move, confirm and quarantine events of commits, some of which somebody has a receipt of.

use proptest::prelude::*;

use super::*;
use crate::storage::eventlog::{following, last_of};

/// What becomes of an undone event.
#[derive(Clone, Copy, Debug)]
enum Fate {
    ComesBack,
    Arrives,
    IsQuarantined,
}

#[derive(Clone, Debug)]
enum Step {
    /// A commit of client-only events and others.
    Commit { client_only: Vec<bool>, followed: bool },
    /// The backend confirms a part of what is pending; the rest makes room for foreign events.
    Rebase { confirmed: prop::sample::Index, foreign: u64, fates: Vec<Fate>, twice: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop_oneof![6 => Just(Fate::ComesBack), 1 => Just(Fate::Arrives), 1 => Just(Fate::IsQuarantined)];
    let commit = (prop::collection::vec(prop::bool::weighted(0.3), 1..4), prop::bool::weighted(0.6))
        .prop_map(|(client_only, followed)| Step::Commit { client_only, followed });
    let rebase = (any::<prop::sample::Index>(), 1..4_u64, prop::collection::vec(fate, 1..12), any::<bool>())
        .prop_map(|(confirmed, foreign, fates, twice)| Step::Rebase { confirmed, foreign, fates, twice });
    prop::collection::vec(prop_oneof![3 => commit, 2 => rebase], 1..24)
}

/// A commit, and what is to be said of it.
#[derive(Default)]
struct Commit {
    followed: Option<Arc<Followed>>,
    quarantined: Option<EventNumber>,
}

#[derive(Default)]
struct Model {
    following: Arc<Following>,
    /// The events that are in the log, and of which commit.
    log: Vec<(EventNumber, Option<usize>)>,
    commits: Vec<Commit>,
    confirmed: u64,
}

impl Model {
    fn head(&self) -> EventNumber {
        self.log.last().map_or(EventNumber::ZERO, |(number, _)| *number)
    }

    fn append(&mut self, client_only: bool, commit: Option<usize>) -> EventNumber {
        let number = following(self.head(), client_only).expect("there are numbers left");
        self.log.push((number, commit));
        number
    }

    fn commit(&mut self, client_only: &[bool], followed: bool) {
        let commit = self.commits.len();
        let numbers: Vec<_> = client_only.iter().map(|client_only| self.append(*client_only, Some(commit))).collect();
        let followed = followed.then(|| self.following.follow(&numbers)).flatten();
        self.commits.push(Commit { followed, ..Commit::default() });
    }

    fn rebase(&mut self, own: u64, foreign: u64, fates: &[Fate], twice: bool) {
        let first = EventNumber::synced(own + 1);
        let undone = self.log.split_off(self.log.partition_point(|(number, _)| *number < first));
        for _ in 0..foreign {
            self.append(false, None);
        }
        let mut moves = Moves::default();
        for (batch, events) in undone.chunks(3).enumerate() {
            let (mark, stood) = (moves.mark(), self.log.len());
            // As where one of a batch does not materialize: it is done, taken back, and done anew.
            for go in 0..=usize::from(twice) {
                let is_last = go == usize::from(twice);
                if go == 1 {
                    moves.back_to(mark);
                    self.log.truncate(stood);
                }
                for (at, (number, commit)) in events.iter().enumerate() {
                    let fate = fates[(batch * 3 + at + usize::from(is_last)) % fates.len()];
                    self.redo(&mut moves, (*number, *commit), first, fate, is_last);
                }
            }
        }
        self.following.moved(place_of(first), &moves);
        self.confirmed = own + foreign;
        self.following.confirmed(place_of(last_of(self.confirmed)));
    }

    fn redo(
        &mut self,
        moves: &mut Moves,
        (number, commit): (EventNumber, Option<usize>),
        first: EventNumber,
        fate: Fate,
        is_last: bool,
    ) {
        match fate {
            Fate::ComesBack => {
                let now = self.append(number.is_client_only(), commit);
                moves.came_back(number, now);
            }
            Fate::Arrives => moves.arrived(number, first),
            Fate::IsQuarantined => {
                if self.following.follows(number) {
                    moves.quarantined(Quarantine { number, reason: "refused".to_owned() });
                }
                if let Some(commit) = commit.filter(|_| is_last) {
                    self.commits[commit].quarantined.get_or_insert(number);
                }
            }
        }
    }

    fn check(&self) {
        for (at, commit) in self.commits.iter().enumerate() {
            let Some(followed) = &commit.followed else { continue };
            let whereabouts = followed.whereabouts();
            let quarantined = whereabouts.quarantined.as_ref().map(|quarantine| quarantine.number);
            assert_eq!(quarantined, commit.quarantined, "commit {at}");
            let pending = self.log.iter().any(|(number, of)| *of == Some(at) && *number > last_of(self.confirmed));
            if quarantined.is_none() {
                assert_eq!(whereabouts.is_confirmed(place_of(last_of(self.confirmed))), !pending, "commit {at}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_receipt_says_what_became_of_the_events_of_its_own_commit(steps in steps()) {
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Commit { client_only, followed } => model.commit(&client_only, followed),
                Step::Rebase { confirmed, foreign, fates, twice } => {
                    let pending = model.head().global() - model.confirmed;
                    let own = model.confirmed + confirmed.index(usize::try_from(pending).unwrap() + 1) as u64;
                    model.rebase(own, foreign, &fates, twice);
                }
            }
            model.check();
        }
    }
}
