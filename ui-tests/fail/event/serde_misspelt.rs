//! Field attributes go to serde, which checks them.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened {
        #[serde(defualt)]
        number: i64,
    },
}

fn main() {}
