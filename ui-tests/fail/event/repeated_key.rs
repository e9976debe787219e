//! A key is written once.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueSelected", client_only, client_only)]
    Selected { number: i64 },
}

fn main() {}
