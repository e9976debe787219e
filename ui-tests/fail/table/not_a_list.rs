//! The attribute takes its keys in parentheses.

use larder::prelude::*;

#[derive(Table)]
#[table = "issues"]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

fn main() {}
