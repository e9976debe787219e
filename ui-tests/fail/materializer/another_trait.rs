//! The attribute stands above `impl Materializer` alone.

use larder::prelude::*;

#[larder::materializer]
impl Clone for WorkspaceSchema {
    fn clone(&self) -> Self {
        Self
    }
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue))]
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
