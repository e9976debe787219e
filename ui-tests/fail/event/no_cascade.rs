//! One mistake in an event gives one message, however much the events are used.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    Opened { number: i64 },
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent)]
struct WorkspaceSchema;

#[larder::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(event: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            IssueEvent::Opened { .. } => Ok(()),
        }
    }
}

define_store! {
    WorkspaceStore {
        name: "workspace",
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::persisted(),
    }
}

fn commit(store: &Store<WorkspaceStore>) {
    drop(store.commit(IssueEvent::Opened { number: 7 }));
}

fn main() {}
