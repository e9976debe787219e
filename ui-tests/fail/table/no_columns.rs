//! A table without columns has no rows to speak of.

use larder::prelude::*;

#[derive(Table)]
struct Issue {}

fn main() {}
