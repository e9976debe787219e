//! A table whose key has several columns cannot be referenced by one column.

use larder::prelude::*;

#[derive(Table)]
struct Comment {
    #[table(primary_key)]
    id: i64,
    #[table(references(Issue))]
    issue: i64,
}

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    project: i64,
    #[table(primary_key)]
    number: i64,
}

fn main() {}
