//! A struct is no column; `Json<_>` keeps one.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    author: Author,
}

struct Author {
    name: String,
}

fn main() {}
