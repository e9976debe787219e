//! `on_delete` has three actions.

use larder::prelude::*;

#[derive(Table)]
struct Comment {
    #[table(primary_key)]
    id: i64,
    #[table(references(Comment, on_delete = cascad))]
    parent: Option<i64>,
}

fn main() {}
