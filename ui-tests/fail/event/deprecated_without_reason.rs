//! A deprecated event says why, and what to commit instead.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened", deprecated)]
    Opened { number: i64 },
}

fn main() {}
