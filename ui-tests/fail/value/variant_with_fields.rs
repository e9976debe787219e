//! A column holds a variant's name, and nothing beside it.

use larder::prelude::*;

#[derive(ColumnValue)]
enum Status {
    Open,
    ClosedBy(String),
}

fn main() {}
