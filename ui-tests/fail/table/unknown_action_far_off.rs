//! What no action is like is answered with all of them.

use larder::prelude::*;

#[derive(Table)]
struct Comment {
    #[table(primary_key)]
    id: i64,
    #[table(references(Issue, on_delete = zebra))]
    issue: i64,
}

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

fn main() {}
