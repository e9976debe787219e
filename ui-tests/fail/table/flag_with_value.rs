//! `primary_key` is said or not said; it has no value.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key = true)]
    number: i64,
}

fn main() {}
