//! A store is asked for its own schema's tables, by key too.

use larder::prelude::*;

fn misuse(store: &Store<WorkspaceStore>) {
    let _ = store.query(Setting::by_key("theme"));
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

#[larder::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(_: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        Ok(())
    }
}

define_store! {
    WorkspaceStore {
        name: "workspace",
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::persisted(),
    }
}

fn main() {}
