//! One mistake in a schema gives one message, however much the schema is used.

use larder::prelude::*;

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue), verison = 1)]
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

#[larder::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(event: &IssueEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let IssueEvent::Opened { number } = event;
        tables.insert(Issue { number: *number })
    }
}

define_store! {
    WorkspaceStore {
        name: "workspace",
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::persisted(),
    }
}

fn ask(store: &Store<WorkspaceStore>) {
    drop(store.query(Issue::all()));
}

fn main() {}
