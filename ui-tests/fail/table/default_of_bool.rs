//! A `bool` has no other default than `true` and `false`.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    #[table(default = 1)]
    level: bool,
}

fn main() {}
