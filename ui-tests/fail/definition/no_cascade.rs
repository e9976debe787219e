//! One mistake in a definition gives one message, however much the store is used.

use larder::prelude::*;

define_store! {
    WorkspaceStore {
        name: "workspace",
        id: WorkspaceId,
        schema: WorkspaceSchema,

        queries {
            fn numbers() -> Vec<i64> = "SELECT number FROM issue";
        }
    }
}

#[derive(StoreKey)]
#[store_key("workspace:{0}")]
struct WorkspaceId(i64);

fn open(registry: &StoreRegistry, store: &Store<WorkspaceStore>) {
    drop(registry.get::<WorkspaceStore>(&WorkspaceId(7)));
    drop(store.commit(IssueEvent::Opened { number: 7 }));
    drop(store.query(Issue::by_key(7)));
    drop(store.query(WorkspaceStore::numbers()));
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
