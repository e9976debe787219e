//! One mistake in a store key gives one message, however much the key is used.

use larder::prelude::*;

#[derive(StoreKey)]
struct WorkspaceId {
    owner: String,
}

define_store! {
    WorkspaceStore {
        name: "workspace",
        id: WorkspaceId,
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::persisted(),
    }
}

fn open(registry: &StoreRegistry, id: &WorkspaceId) {
    drop(registry.get::<WorkspaceStore>(id));
}

#[larder::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(_: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        Ok(())
    }
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue))]
struct WorkspaceSchema;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
}

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64 },
}

fn main() {}
