//! A default is stored in the column, so it has its type.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    #[table(default = "none")]
    comments: i64,
}

fn main() {}
