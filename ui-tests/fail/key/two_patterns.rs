//! A key has one pattern.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("issue:{number}")]
#[store_key("number:{number}")]
struct IssueKey {
    number: i64,
}

fn main() {}
