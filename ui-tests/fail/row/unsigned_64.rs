//! What a row is made of are column types.

use larder::prelude::*;

#[derive(Row)]
struct Workload {
    assignee: Option<String>,
    open: usize,
}

fn main() {}
