//! A store with a typed id is opened with that type, not with text.

use larder::prelude::*;

fn misuse(registry: &StoreRegistry) {
    let _ = registry.get::<WorkspaceStore>("workspace:7");
}

define_store! {
    WorkspaceStore {
        name: "workspace",
        id: WorkspaceId,
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::persisted(),
    }
}

#[derive(StoreKey)]
#[store_key("workspace:{0}")]
struct WorkspaceId(i64);

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

fn main() {}
