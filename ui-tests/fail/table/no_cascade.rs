//! One mistake in a table gives one message, however much the table is used.

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    number: i64,
    title: String,
}

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.Cleared")]
    Cleared,
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue))]
struct WorkspaceSchema;

fn newest() -> impl Sized {
    Issue::filter(Issue::TITLE.eq("a")).order_by(Issue::NUMBER.desc())
}

fn main() {}
