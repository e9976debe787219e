//! A `Json` column holds JSON, its default too.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    #[table(default = "x")]
    level: Json<Vec<i64>>,
}

fn main() {}
