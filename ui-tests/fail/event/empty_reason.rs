//! A deprecated event says why.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened", deprecated = " ")]
    Opened,
}

fn main() {}
