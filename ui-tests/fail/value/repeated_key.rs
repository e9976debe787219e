//! A key of `#[column]` is written once.

use larder::prelude::*;

#[derive(ColumnValue)]
enum Status {
    #[column(name = "open", name = "opened")]
    Open,
}

fn main() {}
