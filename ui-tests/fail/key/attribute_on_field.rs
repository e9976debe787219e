//! The pattern stands above the struct.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("issue:{number}")]
struct IssueKey {
    #[store_key("issue:{number}")]
    number: i64,
}

fn main() {}
