//! A ledger that syncs: its script, and what must hold of it after a stop.

use std::{collections::BTreeSet, time::Duration};

use larder::SyncStatus;

use crate::{
    check::{Told, check_store},
    ledger::Booking,
    player::{Failure, Player},
    power::Mix,
    script::{Generation, Step},
};

/// The ledger.
pub(crate) const SYNCED: &str = "synced:1";

/// Another client's bookings are this writer's.
const FOREIGN: i64 = 50;

/// Two clients book as this writer, and the one that comes second is refused.
const DISPUTED: i64 = 7;

fn bookings(mix: &mut Mix, writer: i64, last: &mut i64, count: i64) -> Vec<Booking> {
    let first = *last + 1;
    *last += count;
    let commit = *last;
    (first..=commit)
        .map(|counter| Booking {
            writer,
            counter,
            last: commit,
            amount: mix.below(2_000) as i64 - 1_000,
            length: mix.below(400),
        })
        .collect()
}

/// Confirms, takes over foreign events, rebases with pending and client-only ones, and quarantines.
pub(crate) fn script(mix: &mut Mix) -> (&'static str, Vec<Step>, Vec<Step>) {
    let (mut own, mut foreign, mut disputed) = (0, 0, 0);
    let mut before = vec![Step::Open { store: SYNCED, generation: Generation::First }];
    let mut steps = before.clone();
    let mut commit = |mix: &mut Mix| {
        let count = 1 + mix.below(4) as i64;
        Step::Commit { store: SYNCED, bookings: bookings(mix, 1, &mut own, count) }
    };
    // Each by itself: a page may end between two events of one commit.
    let mut push = |mix: &mut Mix| {
        let count = 1 + mix.below(3);
        let alone = (0..count).flat_map(|_| bookings(mix, FOREIGN, &mut foreign, 1)).collect();
        Step::Foreign { bookings: alone }
    };
    let sync = Step::Sync { store: SYNCED };
    let set = |counter| Step::Set { store: SYNCED, counter };
    before.extend([commit(mix), sync.clone(), commit(mix), Step::Shutdown]);
    steps.extend([commit(mix), set(1), sync.clone(), push(mix), sync.clone()]);
    steps.extend([commit(mix), set(2), push(mix), commit(mix), set(3), sync.clone()]);
    let refused = bookings(mix, DISPUTED, &mut disputed, 1);
    let first = refused.iter().map(|booking| Booking { amount: booking.amount + 1, ..booking.clone() }).collect();
    steps.extend([commit(mix), Step::Commit { store: SYNCED, bookings: refused }, commit(mix)]);
    steps.extend([push(mix), Step::Foreign { bookings: first }, sync.clone(), commit(mix), Step::Shutdown]);
    ("synced", before, steps)
}

impl Player {
    /// A connection for a while. Nothing is left to be sent or taken over then.
    pub(crate) fn sync(&mut self, store: &str) -> Result<(), Failure> {
        let (runtime, clock) = (self.runtime().clone(), self.clock().clone());
        self.server().connect(true);
        runtime.block_on(clock.advance(Duration::from_secs(40)));
        self.server().connect(false);
        runtime.block_on(clock.settle());
        let Some(ledger) = self.store(store) else { return Ok(()) };
        let status: SyncStatus = ledger.sync_status();
        let is_done = status.pending == 0 && status.confirmed.global() == self.server().log().len() as u64;
        if is_done { Ok(()) } else { Err(Failure::Sync(Box::new(status))) }
    }
}

/// It comes to the server's log, each event once, with nothing lost of what was told.
///
/// # Errors
/// What does not hold.
pub(crate) fn check(player: &mut Player, told: &Told) -> Result<(), String> {
    player.sync(SYNCED).map_err(|failure| failure.to_string())?;
    let log = player.server().log();
    let ledger = player.store(SYNCED).ok_or("it is not open")?;
    let (rows, _) = ledger.state().map_err(|error| format!("it does not read: {error}"))?;
    let expected: Vec<_> = log.iter().zip(1..).filter_map(|(ordered, place)| ordered.booked(place)).collect();
    if rows != expected {
        return Err(format!("the server has {expected:?}, and the tables {rows:?}"));
    }
    let ids: BTreeSet<_> = log.iter().map(|ordered| ordered.id()).collect();
    if ids.len() != log.len() {
        return Err(format!("an event was ordered twice: {log:?}"));
    }
    let quarantined = ledger.quarantined().map_err(|error| format!("what is quarantined does not read: {error}"))?;
    let told_of: i64 = told.acknowledged(SYNCED).values().sum();
    let own = log.iter().filter(|ordered| ordered.is_own()).count() + quarantined;
    if (own as i64) < told_of {
        return Err(format!("LOST: told of {told_of} bookings, {own} are ordered or quarantined"));
    }
    check_store(ledger, &told.acknowledged(SYNCED), None)
}
