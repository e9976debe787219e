//! Keys of attributes are names.

use larder::prelude::*;

#[derive(Table)]
#[table("issues")]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

fn main() {}
