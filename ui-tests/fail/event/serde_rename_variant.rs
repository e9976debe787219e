//! An event is named by `#[event(name)]` alone.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    #[serde(rename = "opened")]
    Opened { number: i64 },
}

fn main() {}
