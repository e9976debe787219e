//! A variant knows `name` alone.

use larder::prelude::*;

#[derive(ColumnValue)]
enum Status {
    #[column(rename = "open")]
    Open,
}

fn main() {}
