//! `true` is no default of a column of numbers.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    #[table(default = true)]
    level: i64,
}

fn main() {}
