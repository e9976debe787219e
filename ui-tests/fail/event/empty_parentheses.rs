//! An event without arguments is a unit variant.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.Cleared")]
    Cleared(),
}

fn main() {}
