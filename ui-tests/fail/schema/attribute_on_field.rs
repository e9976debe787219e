//! A schema's attribute stands above it.

use larder::prelude::*;

#[derive(StoreSchema)]
#[schema(events = IssueEvent)]
struct WorkspaceSchema {
    #[schema(version = 1)]
    version: u32,
}

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64 },
}

fn main() {}
