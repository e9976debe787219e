//! The text of a pattern follows the alphabet of store ids.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("issue/{number}")]
struct IssueKey {
    number: i64,
}

fn main() {}
