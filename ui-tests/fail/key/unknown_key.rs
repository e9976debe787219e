//! After the pattern, only `crate` is known.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("issue:{number}", name = "issue")]
struct IssueKey {
    number: i64,
}

fn main() {}
