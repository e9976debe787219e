//! An upcaster makes an event of the enum it is written on.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v2.IssueOpened", from("v1.IssueOpened" = upgrade))]
    Opened { number: i64 },
}

fn upgrade(number: i64) -> Result<i64, std::convert::Infallible> {
    Ok(number)
}

fn main() {}
