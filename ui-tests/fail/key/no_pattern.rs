//! A key says how it becomes a store id.

use larder::prelude::*;

#[derive(StoreKey)]
struct IssueKey {
    project: String,
    number: i64,
}

fn main() {}
