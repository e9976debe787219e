//! SQL names ignore case, so that these two columns are one.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    title: String,
    #[table(name = "Title")]
    headline: String,
}

fn main() {}
