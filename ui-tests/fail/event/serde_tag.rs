//! Enum-level serde attributes would change the encoding, which is fixed.

use larder::prelude::*;

#[derive(Event)]
#[serde(tag = "type")]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64 },
}

fn main() {}
