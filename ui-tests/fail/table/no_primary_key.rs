//! A row must have an identity: every table names its primary key.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    number: i64,
    title: String,
}

fn main() {}
