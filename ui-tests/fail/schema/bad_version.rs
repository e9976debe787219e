//! A version is a whole number.

use larder::prelude::*;

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue), version = -1)]
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
