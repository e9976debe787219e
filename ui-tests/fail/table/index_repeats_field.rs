//! A column stands in an index once.

use larder::prelude::*;

#[derive(Table)]
#[table(index(title, title))]
struct Issue {
    #[table(primary_key)]
    number: i64,
    title: String,
}

fn main() {}
