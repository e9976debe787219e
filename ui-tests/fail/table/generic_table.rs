//! A table has one name on disk, so it has no type parameters.

use larder::prelude::*;

#[derive(Table)]
struct Issue<T> {
    #[table(primary_key)]
    number: T,
}

fn main() {}
