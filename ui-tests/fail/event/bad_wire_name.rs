//! A wire name has no blanks.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "issue opened")]
    Opened { number: i64 },
}

fn main() {}
