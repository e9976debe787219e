//! `references` knows `on_delete` alone.

use larder::prelude::*;

#[derive(Table)]
struct Comment {
    #[table(primary_key)]
    id: i64,
    #[table(references(Issue, on_update = cascade))]
    issue: i64,
}

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

fn main() {}
