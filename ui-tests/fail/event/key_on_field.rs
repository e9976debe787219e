//! Events are named, fields are not.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened {
        #[event(name = "no")]
        number: i64,
    },
}

fn main() {}
