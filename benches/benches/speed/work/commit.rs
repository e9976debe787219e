//! Commits beside the same INSERTs by hand.

use larder::prelude::*;

use crate::{
    app::{IssueEvent, opened},
    hand::{Hand, Opened},
    lab::Lab,
    measure::{Outcome, Plan, Took, compare},
    report::{Bar, Row},
};

/// Events that are there before.
const BEFORE: i64 = 20_000;
/// Commits of a turn: less than the 4 MiB of `-wal` after which either side would checkpoint.
const COMMITS: i64 = 250;
/// Events of a large commit.
const LARGE: i64 = 1_000;
/// Large commits of a turn.
const LARGE_COMMITS: i64 = 4;

struct Commits {
    lab: Lab,
    id: StoreId,
    hand: Hand,
}

impl Commits {
    fn new() -> Outcome<Self> {
        let lab = Lab::new()?;
        let id = lab.filled("workspace:a", BEFORE)?;
        let hand = lab.filled_by_hand("hand.db", BEFORE)?.without_checkpoints()?;
        Ok(Self { lab, id, hand })
    }

    /// Batches of events, each for one commit, after what is there and a few commits to warm up.
    fn larder(&mut self, batches: i64, size: i64) -> Outcome<Took> {
        let store = self.lab.reopen(&self.id)?;
        let mut next = store.head().global() as i64;
        let mut batch = || {
            next += size;
            (next - size..next).map(opened).collect::<Vec<IssueEvent>>()
        };
        for _ in 0..8 {
            store.commit(batch())?;
        }
        let batches: Vec<_> = (0..batches).map(|_| batch()).collect();
        Took::of(batches.len() as u32, || {
            for events in batches {
                store.commit(events)?;
            }
            Ok(())
        })
    }

    fn hand(&mut self, batches: i64, size: i64) -> Outcome<Took> {
        self.hand.checkpoint()?;
        let mut next = self.hand.events();
        let mut batch = || {
            next += size;
            (next - size..next).map(Opened::of).collect::<Vec<_>>()
        };
        for _ in 0..8 {
            self.hand.commit(&batch())?;
        }
        let batches: Vec<_> = (0..batches).map(|_| batch()).collect();
        Took::of(batches.len() as u32, || {
            for events in batches {
                self.hand.commit(&events)?;
            }
            Ok(())
        })
    }
}

/// One event, and a thousand.
pub(crate) fn rows(plan: Plan) -> Outcome<Vec<Row>> {
    let mut commits = Commits::new()?;
    let one = compare(plan, &mut commits, |all| all.larder(COMMITS, 1), |all| all.hand(COMMITS, 1))?;
    let many =
        compare(plan, &mut commits, |all| all.larder(LARGE_COMMITS, LARGE), |all| all.hand(LARGE_COMMITS, LARGE))?;
    let note = "the same two INSERTs by hand in one transaction, cached statements, JSON by serde_json, no checksum; \
                checkpoints of neither side";
    Ok(vec![
        Row::compared("commit of one event (append + one row)", Bar::Ratio(1.3), one, note),
        Row::compared("commit of 1,000 events at once", Bar::Ratio(1.5), many, note),
    ])
}
