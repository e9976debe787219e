//! `unique` names fields of the struct.

use larder::prelude::*;

#[derive(Table)]
#[table(unique(title, numbr))]
struct Issue {
    #[table(primary_key)]
    number: i64,
    title: String,
}

fn main() {}
