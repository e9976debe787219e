//! `u64` does not compile: SQLite has no such integer.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    views: u64,
}

fn main() {}
