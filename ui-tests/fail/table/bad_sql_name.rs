//! A table name is an SQL name.

use larder::prelude::*;

#[derive(Table)]
#[table(name = "open issues")]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

fn main() {}
