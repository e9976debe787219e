//! Indexes of two tables share one space of names.

use larder::prelude::*;

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue, Label))]
struct WorkspaceSchema;

#[derive(Table)]
#[table(name = "a", index(b_c))]
struct Issue {
    #[table(primary_key)]
    number: i64,
    b_c: i64,
}

#[derive(Table)]
#[table(name = "a_b", index(c))]
struct Label {
    #[table(primary_key)]
    number: i64,
    c: i64,
}

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64 },
}

fn main() {}
