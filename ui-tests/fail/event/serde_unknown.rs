//! What no key of serde is like is answered with all of them.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened {
        #[serde(zzz)]
        number: i64,
    },
}

fn main() {}
