//! Private types that are derived and used by nothing but their schema give no warnings.

#![deny(warnings)]

use larder::prelude::*;

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    title: String,
}

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64, title: String },
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue))]
struct WorkspaceSchema;

#[larder::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(event: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            IssueEvent::Opened { number, title } => drop(Issue { number: *number, title: title.clone() }),
        }
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

fn main() {
    let _ = IssueEvent::Opened { number: 1, title: String::new() }.encode();
    assert_eq!(std::mem::size_of::<WorkspaceStore>(), 0);
}
