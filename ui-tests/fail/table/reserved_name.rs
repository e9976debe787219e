//! Names beginning with `larder_` or `sqlite_` are refused: larder and SQLite keep their own tables there.

use larder::prelude::*;

#[derive(Table)]
#[table(name = "larder_events")]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

fn main() {}
