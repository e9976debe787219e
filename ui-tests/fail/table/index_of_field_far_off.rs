//! What no field is like is answered with all of them.

use larder::prelude::*;

#[derive(Table)]
#[table(index(zebra))]
struct Issue {
    #[table(primary_key)]
    number: i64,
    title: String,
}

fn main() {}
