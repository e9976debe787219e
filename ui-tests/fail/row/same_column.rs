//! Two fields cannot both be filled from one column name.

use larder::prelude::*;

#[derive(Row)]
struct Workload {
    assignee: Option<String>,
    #[row(name = "assignee")]
    who: Option<String>,
}

fn main() {}
