//! The pattern names fields of the struct.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("issue:{numbr}")]
struct IssueKey {
    number: i64,
}

fn main() {}
