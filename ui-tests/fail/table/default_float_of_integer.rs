//! A float is no default of a column of whole numbers.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    #[table(default = 1.5)]
    level: i64,
}

fn main() {}
