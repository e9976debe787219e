//! A column is `NULL` or not; there is no third state.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    assignee: Option<Option<String>>,
}

fn main() {}
