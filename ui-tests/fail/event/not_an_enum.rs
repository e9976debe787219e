//! Events are the variants of one enum per schema.

use larder::prelude::*;

#[derive(Event)]
struct IssueOpened {
    number: i64,
}

fn main() {}
