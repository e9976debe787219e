//! Two events with one wire name could not be told apart in the log.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64 },
    #[event(name = "v1.IssueOpened")]
    Reopened { number: i64 },
}

fn main() {}
