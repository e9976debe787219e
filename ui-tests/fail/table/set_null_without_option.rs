//! `set_null` needs a column that can be `NULL`.

use larder::prelude::*;

#[derive(Table)]
struct Comment {
    #[table(primary_key)]
    id: i64,
    #[table(references(Comment, on_delete = set_null))]
    parent: i64,
}

fn main() {}
