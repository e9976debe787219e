//! A key is never `NULL`.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: Option<i64>,
}

fn main() {}
