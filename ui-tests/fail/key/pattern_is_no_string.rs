//! A pattern is a string.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key(number)]
struct IssueKey {
    number: i64,
}

fn main() {}
