//! The value of an event without named fields has no name to change, and is never absent.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueSelected")]
    Selected(#[serde(flatten)] i64),
}

fn main() {}
