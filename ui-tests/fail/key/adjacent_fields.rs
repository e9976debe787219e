//! Without `:` between fields, `{a: 1, b: 23}` and `{a: 12, b: 3}` would be one id.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("issue:{project}{number}")]
struct IssueKey {
    project: String,
    number: i64,
}

fn main() {}
