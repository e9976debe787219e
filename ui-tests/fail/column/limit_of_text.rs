//! A limit is a number of rows.

use larder::prelude::*;

fn misuse() {
    let _ = Issue::all().limit("20");
}

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

fn main() {}
