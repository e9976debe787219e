//! An index names fields of the struct.

use larder::prelude::*;

#[derive(Table)]
#[table(index(status, opend_at))]
struct Issue {
    #[table(primary_key)]
    number: i64,
    status: String,
    opened_at: Timestamp,
}

fn main() {}
