//! Field attributes have the form that serde knows.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened {
        #[serde(rename(serialize = "a", deserialize = "b"))]
        number: i64,
    },
}

fn main() {}
