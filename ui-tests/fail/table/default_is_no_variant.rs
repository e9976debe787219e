//! A default of an enum column is the stored name of a variant.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    #[table(default = "Opened")]
    status: Status,
}

#[derive(ColumnValue)]
enum Status {
    Open,
    Closed,
}

fn main() {}
