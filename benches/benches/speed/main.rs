//! How fast larder is, beside the same work by hand in the same process and run.
//!
//! `cargo bench -p larder-benches -- --summary` prints one table; `--json` the same for machines; `--only commit` some rows of it,
//! `--phases` where the time of a single commit goes.

mod app;
mod hand;
mod lab;
mod many;
mod measure;
mod pending;
mod phases;
mod report;
mod scaling;
mod server;
mod work;

use clap::Parser;

use measure::{Outcome, Plan};
use report::Row;

/// Measures larder beside the same work by hand.
#[derive(Parser)]
struct Options {
    /// One table: work, larder, baseline, ratio, bar, met or not. It is what is printed without it, too
    #[arg(long)]
    summary: bool,
    /// JSON instead of the table: an array of rows, times in nanoseconds
    #[arg(long)]
    json: bool,
    /// Where the time of a single commit goes, phase by phase, instead of the table
    #[arg(long)]
    phases: bool,
    /// Only rows of groups whose name has this in it: get, commit, query, live, open, new,
    /// rebuild, sync, server, idle, pending, scaling, many
    #[arg(long)]
    only: Option<String>,
    /// Rounds of each row, each of which gives one ratio; the median counts
    #[arg(long)]
    rounds: Option<u32>,
    /// Set for the children
    #[arg(long, hide = true)]
    child: Option<many::Child>,
    /// Set by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// A group of rows: its name, how often it is measured, and what measures it.
type Group = (&'static str, Plan, fn(Plan) -> Outcome<Vec<Row>>);

const GROUPS: &[Group] = &[
    ("get", Plan::new(41, 4), work::get::rows),
    ("commit", Plan::new(41, 2), work::commit::rows),
    ("query", Plan::new(41, 4), work::query::rows),
    ("live", Plan::new(31, 2), work::live::rows),
    ("open", Plan::new(31, 2), |plan| work::open::long(plan, 1_000_000)),
    ("new", Plan::new(31, 2), work::open::new),
    ("rebuild", Plan::new(11, 2), work::rebuild::rows),
    ("sync", Plan::new(11, 2), work::sync::rows),
    ("server-pushes", Plan::new(1, 1), |_| Ok(server::pushes())),
    ("server-waits", Plan::new(1, 1), |_| Ok(server::waits())),
    ("idle", Plan::new(1, 1), |_| many::idle()),
    ("pending", Plan::new(1, 1), |_| pending::rows()),
    ("scaling", Plan::new(9, 1), scaling::rows),
    ("many", Plan::new(1, 1), |_| many::counts()),
    ("get-10k", Plan::new(21, 4), |plan| {
        work::get::many(plan, 10_000, ["get of a held store among 10,000", "the same beside itself among 100"])
    }),
    ("get-100k", Plan::new(21, 4), |plan| {
        work::get::many(plan, 100_000, ["get of a held store among 100,000", "the same beside itself among 100"])
    }),
];

fn main() -> Outcome<()> {
    let options = Options::parse();
    if let Some(child) = options.child {
        return many::run(child);
    }
    if options.phases {
        return phases::print(options.rounds.unwrap_or(20));
    }
    let mut rows = Vec::new();
    if !options.json {
        println!("{}", report::header());
    }
    for (name, plan, measure) in GROUPS {
        if options.only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let plan = Plan { rounds: options.rounds.unwrap_or(plan.rounds), ..*plan };
        for row in measure(plan)? {
            if !options.json {
                println!("{}", report::line(&row));
            }
            rows.push(row);
        }
    }
    if options.json {
        println!("{}", serde_json::to_string(&rows)?);
    } else {
        println!("\n{}", report::notes(&rows));
    }
    Ok(())
}
