//! A name needs a string.

use larder::prelude::*;

#[derive(Table)]
#[table(name)]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

fn main() {}
