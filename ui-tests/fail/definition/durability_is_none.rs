//! `durability` is a `Durability`.

use larder::prelude::*;

define_store! {
    WorkspaceStore {
        name: "workspace",
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::persisted(),
        durability: 5,
    }
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
