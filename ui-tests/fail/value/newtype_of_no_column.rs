//! A newtype is stored as what it is around.

use larder::prelude::*;

#[derive(ColumnValue)]
struct Views(u64);

fn main() {}
