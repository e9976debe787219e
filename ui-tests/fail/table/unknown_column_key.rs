//! A key that means nothing on a column must not be ignored; what exists is listed.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key, autoincrement)]
    number: i64,
}

fn main() {}
