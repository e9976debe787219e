//! A field stands in the pattern once.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("issue:{number}:{number}")]
struct IssueKey {
    number: i64,
}

fn main() {}
