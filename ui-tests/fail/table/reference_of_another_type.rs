//! A reference holds the other table's primary key, so it has its type.

use larder::prelude::*;

#[derive(Table)]
struct Comment {
    #[table(primary_key)]
    id: i64,
    #[table(references(Issue))]
    issue: String,
}

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

fn main() {}
