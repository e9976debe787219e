//! `u64` does not compile, as a key neither; it is said once.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: u64,
}

fn main() {}
