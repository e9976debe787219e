//! A reference names another table.

use larder::prelude::*;

#[derive(Table)]
struct Comment {
    #[table(primary_key)]
    id: i64,
    #[table(references(Issue))]
    issue: i64,
}

struct Issue;

fn main() {}
