//! An enum without variants has no values.

use larder::prelude::*;

#[derive(ColumnValue)]
enum Status {}

fn main() {}
