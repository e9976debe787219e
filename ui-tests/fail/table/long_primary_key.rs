//! A key has four columns at most.

use larder::prelude::*;

#[derive(Table)]
struct Cell {
    #[table(primary_key)]
    a: i64,
    #[table(primary_key)]
    b: i64,
    #[table(primary_key)]
    c: i64,
    #[table(primary_key)]
    d: i64,
    #[table(primary_key)]
    e: i64,
}

fn main() {}
