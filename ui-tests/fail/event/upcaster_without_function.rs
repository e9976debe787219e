//! Every old name says which function upgrades it.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v2.IssueOpened", from("v1.IssueOpened"))]
    Opened { number: i64 },
}

fn main() {}
