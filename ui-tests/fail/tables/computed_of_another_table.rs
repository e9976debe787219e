//! What is computed is of the row that is updated.

use larder::prelude::*;

#[larder::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(_: &IssueEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        tables.update(Issue::by_key(7)).set(Issue::NUMBER, Setting::WEIGHT + 1).run()
    }
}

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    title: String,
    status: Status,
    assignee: Option<String>,
}

#[derive(ColumnValue)]
enum Status {
    Open,
    Closed,
}

#[derive(Table)]
struct Setting {
    #[table(primary_key)]
    name: String,
    weight: i64,
}

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64 },
}

#[derive(Event)]
enum SettingEvent {
    #[event(name = "v1.SettingSet")]
    Set { name: String },
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue))]
struct WorkspaceSchema;

fn main() {}
