//! A column needs a name, so that a table has no unnamed fields.

use larder::prelude::*;

#[derive(Table)]
struct Issue(i64, String);

fn main() {}
