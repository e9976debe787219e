//! A variant is stored as some text.

use larder::prelude::*;

#[derive(ColumnValue)]
enum Status {
    #[column(name = "")]
    Open,
}

fn main() {}
