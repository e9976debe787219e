//! One thread and two: how much more is done.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use larder::prelude::*;

use crate::{
    app::{IssueStore, MemoryStore, opened},
    hand::{Hand, Opened},
    lab::{Lab, runtime},
    measure::{Outcome, Plan, median},
    report::{Bar, Row, Unit},
};

const GETS: u32 = 50_000;
const COMMITS: i64 = 1_000;

/// Runs the same work on so many threads; how often it was done in a second, all threads together.
fn each_second(threads: usize, times: u32, work: &(dyn Fn(usize) -> Result<(), String> + Sync)) -> Outcome<f64> {
    let start = Barrier::new(threads);
    let took = thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let begun = Instant::now();
                    work(thread).map(|()| begun.elapsed())
                })
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Err("it panicked".to_owned())))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let longest = took.into_iter().max().unwrap_or(Duration::ZERO);
    Ok(threads as f64 * f64::from(times) / longest.as_secs_f64())
}

/// How many times as much two threads do, in the median of the rounds.
fn gain(plan: Plan, times: u32, work: &(dyn Fn(usize) -> Result<(), String> + Sync)) -> Outcome<f64> {
    let mut gains = Vec::new();
    for _ in 0..plan.rounds {
        let one = each_second(1, times, work)?;
        gains.push(each_second(2, times, work)? / one);
    }
    Ok(median(&mut gains))
}

/// `get` and commits on two threads.
pub(crate) fn rows(plan: Plan) -> Outcome<Vec<Row>> {
    let mut rows = gets(plan)?;
    rows.extend(commits(plan)?);
    Ok(rows)
}

fn gets(plan: Plan) -> Outcome<Vec<Row>> {
    let runtime = runtime()?;
    let registry = runtime.block_on(async { StoreRegistry::builder().in_memory().build() })?;
    let ids = ["workspace:a", "workspace:b"].map(str::parse::<StoreId>);
    let [Ok(first), Ok(second)] = ids else { return Err("an id is not valid".into()) };
    let ids = [first, second];
    let _held = ids.each_ref().map(|id| runtime.block_on(registry.get::<MemoryStore>(id)));
    let cache = moka::sync::Cache::new(100);
    ids.iter().for_each(|id| cache.insert(id.clone(), std::sync::Arc::new(id.clone())));
    let get = |id: &StoreId| {
        runtime.block_on(async {
            for _ in 0..GETS {
                drop(registry.get::<MemoryStore>(id).await.map_err(|error| error.to_string())?);
            }
            Ok(())
        })
    };
    let hit = |id: &StoreId| {
        for _ in 0..GETS {
            cache.get(id).ok_or("the cache lost an entry")?;
        }
        Ok(())
    };
    let row = |work, larder, moka| Row::number(work, Unit::Times, larder, Some(moka), Bar::None).note(NOTE);
    Ok(vec![
        row(
            "gain by a 2nd thread: get of two stores",
            gain(plan, GETS, &|at| get(&ids[at]))?,
            gain(plan, GETS, &|at| hit(&ids[at]))?,
        ),
        row(
            "gain by a 2nd thread: get of one store",
            gain(plan, GETS, &|_| get(&ids[0]))?,
            gain(plan, GETS, &|_| hit(&ids[0]))?,
        ),
    ])
}

const NOTE: &str = "more is better: how many times as much two threads do, beside `moka` or two files by hand";

fn commits(plan: Plan) -> Outcome<Vec<Row>> {
    let lab = Lab::new()?;
    let ids = [lab.filled("workspace:a", 1_000)?, lab.filled("workspace:b", 1_000)?];
    let stores = [lab.get(&ids[0])?, lab.get(&ids[1])?];
    let hands = [lab.filled_by_hand("a.db", 1_000)?, lab.filled_by_hand("b.db", 1_000)?].map(std::sync::Mutex::new);
    // Numbers that no other thread takes.
    let next = std::sync::atomic::AtomicI64::new(1 << 40);
    let commit = |store: &StoreHandle<IssueStore>| {
        let first = next.fetch_add(COMMITS, std::sync::atomic::Ordering::Relaxed);
        for number in first..first + COMMITS {
            store.commit(opened(number)).map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    let by_hand = |hand: &std::sync::Mutex<Hand>| {
        for _ in 0..COMMITS {
            let mut hand = hand.lock().map_err(|error| error.to_string())?;
            let event = Opened::of(hand.events());
            hand.commit(&[event]).map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    let times = COMMITS as u32;
    let row = |work, larder, hand| Row::number(work, Unit::Times, larder, Some(hand), Bar::None).note(NOTE);
    Ok(vec![
        row(
            "gain by a 2nd thread: commits to two stores",
            gain(plan, times, &|at| commit(&stores[at]))?,
            gain(plan, times, &|at| by_hand(&hands[at]))?,
        ),
        row(
            "gain by a 2nd thread: commits to one store",
            gain(plan, times, &|_| commit(&stores[0]))?,
            gain(plan, times, &|_| by_hand(&hands[0]))?,
        ),
    ])
}
