//! `events` is an enum with `#[derive(Event)]`.

use larder::prelude::*;

#[derive(StoreSchema)]
#[schema(events = Issue, tables(Issue))]
struct WorkspaceSchema;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64 },
}

fn main() {}
