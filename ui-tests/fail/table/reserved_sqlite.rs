//! SQLite keeps names that begin with its own for itself.

use larder::prelude::*;

#[derive(Table)]
#[table(name = "SQLite_issues")]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

fn main() {}
