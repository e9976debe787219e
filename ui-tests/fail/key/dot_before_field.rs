//! What the field holds may begin with a dot.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("issue.{number}")]
struct IssueKey {
    number: i64,
}

fn main() {}
