//! A misspelt key must not be ignored.

use larder::prelude::*;

#[derive(Table)]
#[table(nmae = "issues")]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

fn main() {}
