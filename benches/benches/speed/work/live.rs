//! What live queries add to a commit.

mod app;
mod hand;

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use larder::{Live, Subscription, prelude::*};

use self::{
    app::{Entry, EntryEvent, EntryStore, State},
    hand::Entries,
};
use crate::{
    lab::Lab,
    measure::{Outcome, Plan, Took, compare},
    report::{Bar, Row},
};

/// Rows of the smaller stores: as many as there are live queries by key.
const KEYS: i64 = 10_000;
/// Rows of the larger ones.
const ROWS: i64 = 100_000;
/// What the window shows.
const SHOWN: usize = 20;
/// Commits of a turn.
const COMMITS: i64 = 200;
/// Seconds between the rows, so that others find room between them.
const APART: i64 = 1_000;

type First = Subscription<Vec<Entry>>;
type ByKey = Subscription<Option<Entry>>;

/// All rows.
pub(crate) fn rows(plan: Plan) -> Outcome<Vec<Row>> {
    let mut rows = vec![by_key(plan)?, by_key_by_hand(plan)?];
    rows.extend(windows(plan)?);
    rows.push(window_by_hand(plan)?);
    Ok(rows)
}

/// A store in a file of its own.
struct Watched<S> {
    store: StoreHandle<EntryStore>,
    live: S,
    count: i64,
}

impl<S> Watched<S> {
    fn new(lab: &Lab, id: &str, rows: i64, live: impl FnOnce(&StoreHandle<EntryStore>) -> Outcome<S>) -> Outcome<Self> {
        let store = lab.block_on(lab.registry.get::<EntryStore>(id))?;
        for first in (0..rows).step_by(1_000) {
            store.commit((first..first + 1_000).map(added).collect::<Vec<_>>())?;
        }
        let live = live(&store)?;
        Ok(Self { store, live, count: rows })
    }

    fn next(&mut self) -> i64 {
        self.count += 1;
        self.count
    }
}

fn added(number: i64) -> EntryEvent {
    EntryEvent::Added { number, title: format!("entry {number}"), at: number * APART }
}

/// The result that is there now, if it is a new one.
fn polled<T: Send + Sync + 'static>(live: &mut Subscription<T>) -> Outcome<Option<Live<Arc<T>>>> {
    match pin!(live.next()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(result)) => Ok(Some(result?)),
        Poll::Ready(None) => Err("a subscription ended".into()),
        Poll::Pending => Ok(None),
    }
}

/// A store with a live query for each of the first rows.
fn by_keys(lab: &Lab, id: &str, keys: i64) -> Outcome<Watched<Vec<ByKey>>> {
    Watched::new(lab, id, KEYS, |store| {
        let mut all: Vec<_> = (0..keys).map(|key| store.subscribe(Entry::by_key(key))).collect();
        all.iter_mut().try_for_each(|live| polled(live).map(drop))?;
        Ok(all)
    })
}

fn by_key(plan: Plan) -> Outcome<Row> {
    let lab = Lab::new()?;
    let mut both = (by_keys(&lab, "live:many", KEYS)?, by_keys(&lab, "live:one", 1)?);
    let compared = compare(plan, &mut both, |both| renamed(&mut both.0), |both| renamed(&mut both.1))?;
    let note = "the same commit and the same new result with one live query; nobody polls those that do not change";
    Ok(Row::compared("10,000 live point queries, 1 row changes", Bar::Ratio(1.2), compared, note))
}

fn by_key_by_hand(plan: Plan) -> Outcome<Row> {
    // Each of them takes milliseconds.
    const COMMITS: u32 = 4;
    let lab = Lab::new()?;
    let mut both = (by_keys(&lab, "live:many", KEYS)?, Entries::new(&lab.path("hand.db"), KEYS, APART)?);
    let by_hand = |both: &mut (Watched<_>, Entries)| {
        let count = both.0.next();
        Took::of(COMMITS, || {
            for commit in 0..COMMITS {
                let title = format!("entry {count}, {commit}");
                both.1.rename(0, &title)?;
                let results = (0..KEYS).map(|key| both.1.by_key(key)).collect::<Outcome<Vec<_>>>()?;
                if results.first().is_none_or(|row| row.title != title) {
                    return Err("the result is an old one".into());
                }
            }
            Ok(())
        })
    };
    let compared = compare(plan, &mut both, |both| renamed(&mut both.0), by_hand)?;
    let note = "`rusqlite`, cached statements, all 10,000 queries run again after the commit";
    Ok(Row::compared("10,000 live point queries, beside running them again", Bar::None, compared, note))
}

/// One row after the other is renamed, and its live query shows it.
fn renamed(watched: &mut Watched<Vec<ByKey>>) -> Outcome<Took> {
    Took::of(COMMITS as u32, || {
        for _ in 0..COMMITS {
            let title = format!("entry {}", watched.next());
            watched.store.commit(EntryEvent::Renamed { number: 0, title: title.clone() })?;
            let live = polled(&mut watched.live[0])?.ok_or("the result is not new")?;
            if live.as_ref().as_ref().is_none_or(|row| row.title != title) {
                return Err("the result is an old one".into());
            }
        }
        Ok(())
    })
}

/// What a commit does to the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Enters,
    Moves,
    Leaves,
    StaysOutside,
}

fn window(lab: &Lab) -> Outcome<Watched<Option<First>>> {
    let first = Entry::filter(Entry::STATE.eq(State::Open)).order_by(Entry::AT.desc()).limit(SHOWN);
    Watched::new(lab, "live:watched", ROWS, |store| {
        let mut live = store.subscribe(first);
        polled(&mut live)?;
        Ok(Some(live))
    })
}

fn window_by_hand(plan: Plan) -> Outcome<Row> {
    let lab = Lab::new()?;
    let mut both = (window(&lab)?, Entries::new(&lab.path("hand.db"), ROWS, APART)?, ROWS);
    let by_hand = |both: &mut (Watched<_>, Entries, i64)| {
        let (_, entries, count) = both;
        Took::of(COMMITS as u32, || {
            for _ in 0..COMMITS {
                *count += 1;
                let number = *count % (ROWS / 2);
                entries.move_to(number, *count * APART)?;
                let shown = entries.first(SHOWN as u32)?;
                if shown.len() != SHOWN || shown.first().is_none_or(|row| row.number != number) {
                    return Err("the result is another one".into());
                }
            }
            Ok(())
        })
    };
    let compared = compare(plan, &mut both, |both| done(&mut both.0, Act::Enters), by_hand)?;
    let note = "`rusqlite`, cached statements, the query run again after the commit; an index fits it";
    Ok(Row::compared("a row enters, beside running the query again", Bar::None, compared, note))
}

fn windows(plan: Plan) -> Outcome<Vec<Row>> {
    let lab = Lab::new()?;
    let watched = window(&lab)?;
    let alone = Watched::new(&lab, "live:alone", ROWS, |_| Ok(None))?;
    let mut both = (watched, alone);
    let works = [
        ("live filter + order + limit, 100,000 rows: a row enters", Act::Enters),
        ("the same: a row moves inside", Act::Moves),
        ("the same: a row leaves, another one follows", Act::Leaves),
        ("the same: a row changes outside", Act::StaysOutside),
    ];
    let row = |(work, act): (&'static str, Act)| -> Outcome<Row> {
        let compared = compare(plan, &mut both, |both| done(&mut both.0, act), |both| done(&mut both.1, act))?;
        let note = "to the new result; the same commit without a live query";
        Ok(Row::compared(work, Bar::Ratio(5.0), compared, note))
    };
    works.into_iter().map(row).collect()
}

fn done(watched: &mut Watched<Option<First>>, act: Act) -> Outcome<Took> {
    let mut took = Took::default();
    for _ in 0..COMMITS {
        let count = watched.next();
        // The last rows are the first ones of the window.
        let (number, at) = match act {
            Act::Enters => (count % (ROWS / 2), count * APART),
            Act::Moves => (watched_first(watched)?, count * APART),
            Act::Leaves => (watched_first(watched)?, -count),
            Act::StaysOutside => (count % (ROWS / 2), -count),
        };
        took.add(Took::of(1, || {
            watched.store.commit(EntryEvent::Moved { number, at })?;
            let Some(live) = &mut watched.live else { return Ok(()) };
            match (polled(live)?, act) {
                (None, Act::StaysOutside) => Ok(()),
                (Some(live), _) if live.len() == SHOWN && act != Act::StaysOutside => {
                    let is_first = live.first().is_some_and(|row| row.number == number);
                    if is_first == (act == Act::Leaves) { Err("the result is another one".into()) } else { Ok(()) }
                }
                (live, act) => Err(format!("{act:?}: {live:?}").into()),
            }
        })?);
    }
    Ok(took)
}

/// The row that moves: the last one that the window shows, or the first one. Not measured.
fn watched_first<S>(watched: &Watched<S>) -> Outcome<i64> {
    let first = Entry::filter(Entry::STATE.eq(State::Open)).order_by(Entry::AT.desc()).limit(SHOWN);
    let shown = watched.store.query(first)?;
    Ok(shown.last().ok_or("nothing is shown")?.number)
}
