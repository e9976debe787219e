//! The attribute reads the whole implementation, so it stands above it.

use larder::prelude::*;

#[larder::materializer]
fn materialize(_: &StoreId) {}

fn main() {}
