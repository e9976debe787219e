//! A derived column type is never `NULL`.

use larder::prelude::*;

#[derive(ColumnValue)]
struct Assignee(Option<String>);

fn main() {}
