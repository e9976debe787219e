//! Opening stores: of a long log beside a short one, and new ones beside the same by hand.

use larder::prelude::*;

use crate::{
    app::{IssueStore, opened},
    hand::{Hand, Opened},
    lab::Lab,
    measure::{Outcome, Plan, Took, Watch, compare},
    report::{Bar, Row},
};

const SHORT: i64 = 1_000;
/// Opened in one turn.
const OPENED: u32 = 5;
/// Made in one turn.
const MADE: u32 = 10;

/// A store with `long` events beside one with 1,000.
pub(crate) fn long(plan: Plan, long: i64) -> Outcome<Vec<Row>> {
    let lab = Lab::new()?;
    let mut both = (lab.filled("workspace:long", long)?, lab.filled("workspace:short", SHORT)?);
    let open = |id: &StoreId| {
        let mut took = Took::default();
        for _ in 0..OPENED {
            let watch = Watch::start();
            let store = lab.get(id)?;
            took.add(watch.stop(1));
            drop(store);
            lab.evict::<IssueStore>(&lab.registry, id)?;
        }
        Ok(took)
    };
    let compared = compare(plan, &mut both, |both| open(&both.0), |both| open(&both.1))?;
    let note = format!("larder itself with 1,000 events; here {long}");
    Ok(vec![Row::compared("open a store with 1,000,000 events", Bar::Ratio(1.2), compared, &note)])
}

struct Made {
    lab: Lab,
    stores: u32,
}

impl Made {
    fn larder(&mut self) -> Outcome<Took> {
        let ids = (0..MADE).map(|_| self.next().parse()).collect::<Result<Vec<StoreId>, _>>()?;
        Took::of(MADE, || {
            for id in &ids {
                let store = self.lab.get(id)?;
                store.commit(opened(1))?;
                self.lab.evict::<IssueStore>(&self.lab.registry, id)?;
            }
            Ok(())
        })
    }

    fn hand(&mut self) -> Outcome<Took> {
        let names: Vec<_> = (0..MADE).map(|_| self.next()).collect();
        let paths: Vec<_> = names.iter().map(|name| self.lab.path(name)).collect();
        Took::of(MADE, || {
            for path in &paths {
                let mut hand = Hand::open(path)?;
                hand.commit(&[Opened::of(1)])?;
                hand.close()?;
            }
            Ok(())
        })
    }

    fn next(&mut self) -> String {
        self.stores += 1;
        format!("new-{}", self.stores)
    }
}

/// A new store: file, tables, first commit, close.
pub(crate) fn new(plan: Plan) -> Outcome<Vec<Row>> {
    let mut made = Made { lab: Lab::new()?, stores: 0 };
    let compared = compare(plan, &mut made, Made::larder, Made::hand)?;
    let note = "a file with log and table by hand; without catalog, lock file and the folder's sync, which larder has";
    Ok(vec![Row::compared("new store (file, tables, first commit, close)", Bar::Ratio(2.0), compared, note)])
}
