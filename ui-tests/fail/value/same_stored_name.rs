//! Two variants with one stored name could not be told apart.

use larder::prelude::*;

#[derive(ColumnValue)]
enum Status {
    Open,
    #[column(name = "Open")]
    Reopened,
}

fn main() {}
