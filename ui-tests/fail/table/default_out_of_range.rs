//! A default reads back, so it is in the range of its column.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    #[table(default = 300)]
    level: u8,
}

fn main() {}
