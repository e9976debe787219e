//! A key is a struct.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("issue:{number}")]
enum IssueKey {
    Number(i64),
}

fn main() {}
