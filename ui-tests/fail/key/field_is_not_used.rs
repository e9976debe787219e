//! A field outside of the pattern would let two keys open one store.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("project:{project}")]
struct IssueKey {
    project: String,
    number: i64,
}

fn main() {}
