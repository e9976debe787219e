//! What an event carries is written as JSON, so serde must know all of it.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64, authors: Vec<Author> },
}

struct Author;

fn main() {}
