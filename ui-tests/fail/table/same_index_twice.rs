//! Two equal indexes would only cost writes.

use larder::prelude::*;

#[derive(Table)]
#[table(index(title))]
struct Issue {
    #[table(primary_key)]
    number: i64,
    #[table(index)]
    title: String,
}

fn main() {}
