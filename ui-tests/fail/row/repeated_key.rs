//! A key of `#[row]` is written once.

use larder::prelude::*;

#[derive(Row)]
struct Issue {
    #[row(name = "open")]
    #[row(name = "opened")]
    open: i64,
}

fn main() {}
