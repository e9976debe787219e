//! An `f32` reads back only what it holds exactly.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    #[table(default = 0.1)]
    level: f32,
}

fn main() {}
