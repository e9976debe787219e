//! A row is decoded by name, so its fields have names; a plain tuple needs no derive.

use larder::prelude::*;

#[derive(Row)]
struct Workload(Option<String>, i64);

fn main() {}
