//! A derived column type is one column.

use larder::prelude::*;

#[derive(ColumnValue)]
struct Author {
    name: String,
    email: String,
}

fn main() {}
