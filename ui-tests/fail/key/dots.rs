//! A store id never holds two dots in a row.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("issue..number:{number}")]
struct IssueKey {
    number: i64,
}

fn main() {}
