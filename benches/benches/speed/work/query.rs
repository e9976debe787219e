//! A query by key beside `rusqlite` with a cached statement.

use larder::prelude::*;

use crate::{
    app::{Issue, IssueStore},
    hand::Hand,
    lab::Lab,
    measure::{Outcome, Plan, Took, compare},
    report::{Bar, Row},
};

/// Rows that fit every page cache.
const FEW: i64 = 2_000;
/// Rows that fit none.
const MANY: i64 = 100_000;
const QUERIES: i64 = 5_000;

struct Queries {
    _lab: Lab,
    store: StoreHandle<IssueStore>,
    hand: Hand,
}

/// A row by its key, among few and among many.
pub(crate) fn rows(plan: Plan) -> Outcome<Vec<Row>> {
    Ok(vec![row(plan, FEW, "point query by key")?, row(plan, MANY, "point query by key, 100,000 rows")?])
}

fn row(plan: Plan, rows: i64, work: &'static str) -> Outcome<Row> {
    let lab = Lab::new()?;
    let id = lab.filled("workspace:a", rows)?;
    let (store, hand) = (lab.get(&id)?, lab.filled_by_hand("hand.db", rows)?);
    let mut queries = Queries { _lab: lab, store, hand };
    let compared = compare(
        plan,
        &mut queries,
        |both| {
            asked(rows, |number| {
                let found = both.store.query(Issue::by_key(number))?;
                Ok(found.is_some_and(|issue| issue.number == number))
            })
        },
        |both| asked(rows, |number| Ok(both.hand.by_key(number)?.is_some_and(|issue| issue.number == number))),
    )?;
    let note = "`prepare_cached` and `query_row` on the one connection; larder takes a pooled reader";
    Ok(Row::compared(work, Bar::Ratio(1.5), compared, note))
}

fn asked(rows: i64, ask: impl Fn(i64) -> Outcome<bool>) -> Outcome<Took> {
    Took::of(QUERIES as u32, || {
        for query in 0..QUERIES {
            // Neighbours stand on the same page; these do not.
            if !ask(query * 7_919 % rows)? {
                return Err("a row is missing".into());
            }
        }
        Ok(())
    })
}
