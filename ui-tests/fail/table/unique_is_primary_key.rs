//! A primary key is unique already.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key, unique)]
    number: i64,
}

fn main() {}
