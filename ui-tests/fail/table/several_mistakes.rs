//! All mistakes are reported at once.

use larder::prelude::*;

#[derive(Table)]
#[table(nam = "issues", index(titel))]
struct Issue {
    #[table(primry_key)]
    number: i64,
    title: String,
}

fn main() {}
