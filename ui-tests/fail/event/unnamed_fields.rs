//! Several unnamed fields would be an array on disk, which cannot change later.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened(i64, String),
}

fn main() {}
