//! A brace has a partner.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("issue:{number")]
struct IssueKey {
    number: i64,
}

fn main() {}
