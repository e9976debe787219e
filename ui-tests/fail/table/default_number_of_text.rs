//! A number is no default of a column of text.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    #[table(default = 1)]
    level: String,
}

fn main() {}
