//! What an event carries is written as JSON, so serde must know it.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { author: Author },
}

struct Author;

fn main() {}
