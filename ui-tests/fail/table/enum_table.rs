//! A table is a struct with named fields.

use larder::prelude::*;

#[derive(Table)]
enum Issue {
    Open,
    Closed,
}

fn main() {}
