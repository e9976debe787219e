//! A table can be in a query once.

use larder::prelude::*;

fn misuse() {
    let _ = Issue::all().join(Issue::PARENT);
}

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    title: String,
    status: Status,
    points: Option<i64>,
    #[table(references(Issue))]
    parent: Option<i64>,
}

#[derive(ColumnValue)]
enum Status {
    Open,
    Closed,
}

#[derive(Table)]
struct Comment {
    #[table(primary_key)]
    id: i64,
    #[table(references(Issue))]
    issue: i64,
    body: String,
}

#[derive(Table)]
struct Label {
    #[table(primary_key)]
    text: String,
}

fn main() {}
