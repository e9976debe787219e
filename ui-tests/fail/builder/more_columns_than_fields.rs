//! Each column has a field.

use larder::prelude::*;

fn misuse() {
    let _ = Issue::all().select((Issue::NUMBER, Issue::TITLE, Issue::STATUS)).into_row::<Headline>();
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

#[derive(Row)]
struct Headline {
    number: i64,
    title: String,
}

fn main() {}
