//! An upcaster's old name must not be the name of a living event.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64 },
    #[event(name = "v2.IssueClosed", from("v1.IssueOpened" = upgrade))]
    Closed { number: i64 },
}

fn upgrade(number: i64) -> Result<IssueEvent, std::convert::Infallible> {
    Ok(IssueEvent::Closed { number })
}

fn main() {}
