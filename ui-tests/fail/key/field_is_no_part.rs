//! A field of a key prints and parses.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("issue:{number}")]
struct IssueKey {
    number: Vec<u8>,
}

fn main() {}
