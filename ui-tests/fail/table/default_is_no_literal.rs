//! A default becomes SQL, so it is a literal.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    #[table(default = 1 + 1)]
    comments: i64,
}

fn main() {}
