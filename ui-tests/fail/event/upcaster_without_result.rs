//! An upcaster can refuse, so it returns a `Result`.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v2.IssueOpened", from("v1.IssueOpened" = upgrade))]
    Opened { number: i64 },
}

fn upgrade(number: i64) -> IssueEvent {
    IssueEvent::Opened { number }
}

fn main() {}
