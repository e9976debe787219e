//! Two tables with one SQL name would be one table on disk.

use larder::prelude::*;

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue, Ticket))]
struct WorkspaceSchema;

#[derive(Table)]
#[table(name = "issue")]
struct Ticket {
    #[table(primary_key)]
    number: i64,
}

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
