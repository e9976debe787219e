//! A store id begins with a letter or a digit.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("-issue:{number}")]
struct IssueKey {
    number: i64,
}

fn main() {}
