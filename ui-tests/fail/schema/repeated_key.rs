//! A key of `#[schema]` is written once.

use larder::prelude::*;

#[derive(StoreSchema)]
#[schema(events = IssueEvent, version = 1, version = 2)]
struct WorkspaceSchema;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64 },
}

fn main() {}
