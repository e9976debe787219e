//! A row's columns know `name` alone.

use larder::prelude::*;

#[derive(Row)]
struct Workload {
    #[row(nam = "assignee")]
    who: Option<String>,
    open: i64,
}

fn main() {}
