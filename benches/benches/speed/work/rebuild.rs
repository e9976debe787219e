//! Rebuilding tables from the eventlog beside the same by hand.

use larder::prelude::*;

use crate::{
    app::{ChangedStore, IssueStore},
    hand::Hand,
    lab::Lab,
    measure::{Outcome, Plan, Took, Watch, compare},
    report::{Bar, Row},
};

const EVENTS: u32 = 100_000;

struct Rebuilds {
    lab: Lab,
    /// A registry in which the changed definition owns the name.
    changed: StoreRegistry,
    id: StoreId,
    is_changed: bool,
    hand: Hand,
}

impl Rebuilds {
    /// Opens the store as the other version of its definition, in turn.
    fn larder(&mut self) -> Outcome<Took> {
        self.is_changed = !self.is_changed;
        if self.is_changed {
            let took = open(&self.lab, self.changed.get::<ChangedStore>(&self.id))?;
            self.lab.evict::<ChangedStore>(&self.changed, &self.id)?;
            Ok(took)
        } else {
            let took = open(&self.lab, self.lab.registry.get::<IssueStore>(&self.id))?;
            self.lab.evict::<IssueStore>(&self.lab.registry, &self.id)?;
            Ok(took)
        }
    }

    fn hand(&mut self) -> Outcome<Took> {
        self.hand.checkpoint()?;
        Took::of(EVENTS, || self.hand.rebuild())
    }
}

fn open<D: larder::StoreDefinition>(lab: &Lab, get: larder::Get<D>) -> Outcome<Took> {
    let watch = Watch::start();
    let store = lab.block_on(get)?;
    let took = watch.stop(EVENTS);
    let report = store.migrations_report();
    if report.applied != u64::from(EVENTS) {
        return Err(format!("the load did not rebuild: {report:?}").into());
    }
    Ok(took)
}

/// 100,000 events, each with one row.
pub(crate) fn rows(plan: Plan) -> Outcome<Vec<Row>> {
    let lab = Lab::new()?;
    let id = lab.filled("workspace:a", i64::from(EVENTS))?;
    let hand = lab.filled_by_hand("hand.db", i64::from(EVENTS))?.without_checkpoints()?;
    let changed = lab.other_registry()?;
    let mut rebuilds = Rebuilds { lab, changed, id, is_changed: false, hand };
    let compared = compare(plan, &mut rebuilds, Rebuilds::larder, Rebuilds::hand)?;
    let note = "one statement over name and args of the log, serde_json from borrowed text, cached INSERT, one transaction; no \
                checksum is checked and no event's number is read";
    Ok(vec![Row::compared("rebuild of tables, each of 100,000 events", Bar::Ratio(1.5), compared, note)])
}
