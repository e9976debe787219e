//! Two indexes cannot share the name that is made of their columns.

use larder::prelude::*;

#[derive(Table)]
#[table(name = "issues", index(a, b))]
struct Issue {
    #[table(primary_key)]
    number: i64,
    a: i64,
    b: i64,
    #[table(index)]
    a_b: i64,
}

fn main() {}
