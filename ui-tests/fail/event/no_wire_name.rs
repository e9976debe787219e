//! The wire name outlives the Rust name, so it is written down.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    Opened { number: i64 },
}

fn main() {}
