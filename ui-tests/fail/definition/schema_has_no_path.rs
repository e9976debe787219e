//! Queries are checked against the tables of a schema, which is found by its path.

use larder::prelude::*;

define_store! {
    WorkspaceStore {
        name: "workspace",
        schema: <() as Named>::Schema,
        adapter: SqliteAdapter::persisted(),
        queries {
            fn count() -> i64 = "SELECT count(*) FROM issue";
        }
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

trait Named {
    type Schema;
}

impl Named for () {
    type Schema = WorkspaceSchema;
}

fn main() {}
