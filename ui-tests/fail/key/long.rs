//! A store id has 120 bytes at most.

use larder::prelude::*;

#[derive(StoreKey)]
#[store_key("issues:issues:issues:issues:issues:issues:issues:issues:issues:issues:issues:issues:issues:issues:issues:issues:issues:issues:{number}")]
struct IssueKey {
    number: i64,
}

fn main() {}
