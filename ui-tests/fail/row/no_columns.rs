//! A row without columns tells nothing.

use larder::prelude::*;

#[derive(Row)]
struct Issue {}

fn main() {}
