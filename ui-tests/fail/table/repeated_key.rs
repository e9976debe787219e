//! Two names for one table cannot both be meant.

use larder::prelude::*;

#[derive(Table)]
#[table(name = "issues")]
#[table(name = "tickets")]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

fn main() {}
