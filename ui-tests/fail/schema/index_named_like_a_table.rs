//! An index cannot have the name of a table.

use larder::prelude::*;

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue, Label))]
struct WorkspaceSchema;

#[derive(Table)]
#[table(name = "issues_title_index")]
struct Label {
    #[table(primary_key)]
    number: i64,
}

#[derive(Table)]
#[table(name = "issues", index(title))]
struct Issue {
    #[table(primary_key)]
    number: i64,
    title: String,
}

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64 },
}

fn main() {}
