//! Columns have no reserved names either.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    larder_title: String,
}

fn main() {}
