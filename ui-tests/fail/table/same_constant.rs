//! Columns have constants in capitals, so two fields cannot differ by capitals alone.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    title: String,
    #[table(name = "other")]
    TITLE: String,
}

fn main() {}
