//! A misspelt key must not be ignored.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueSelected", clientonly)]
    Selected { number: i64 },
}

fn main() {}
