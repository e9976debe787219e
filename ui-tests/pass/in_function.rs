//! Everything may be declared inside a function.

#![deny(warnings)]

use larder::prelude::*;

fn main() {
    #[derive(Table)]
    struct Issue {
        #[table(primary_key)]
        number: i64,
        status: Status,
    }

    #[derive(Table)]
    #[table(unique(issue, body))]
    struct Comment {
        #[table(primary_key)]
        id: i64,
        #[table(references(Issue), index)]
        issue: i64,
        #[table(default = "nothing")]
        body: String,
    }

    #[derive(ColumnValue)]
    enum Status {
        Open,
    }

    #[derive(Event)]
    enum IssueEvent {
        #[event(name = "v1.IssueOpened")]
        Opened { number: i64 },
    }

    #[derive(StoreSchema)]
    #[schema(events = IssueEvent, tables(Issue, Comment))]
    struct WorkspaceSchema;

    #[larder::materializer]
    impl Materializer for WorkspaceSchema {
        fn materialize(event: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
            let IssueEvent::Opened { number } = event;
            drop(Issue { number: *number, status: Status::Open });
            drop(Comment { id: 1, issue: *number, body: String::new() });
            Ok(())
        }
    }

    #[derive(StoreKey)]
    #[store_key("workspace:{0}")]
    struct WorkspaceKey(i64);

    define_store! {
        WorkspaceStore {
            name: "workspace",
            id: WorkspaceKey,
            schema: WorkspaceSchema,
            adapter: SqliteAdapter::persisted(),

            queries {
                #[indexed]
                fn status(number: i64) -> Option<Status> = "SELECT status FROM issue WHERE number = :number";
                fn comments() -> Vec<(i64, String)> =
                    "SELECT issue, body FROM comment JOIN issue ON issue.number = comment.issue";
            }
        }
    }

    let opened = IssueEvent::Opened { number: 1 };
    assert_eq!(opened.encode().unwrap().as_deref(), Some(r#"{"number":1}"#));
    assert_eq!(WorkspaceKey(7).store_id().unwrap().as_str(), "workspace:7");
    assert_eq!(std::mem::size_of::<WorkspaceStore>(), 0);
    assert_eq!(WorkspaceStore::status(7).reads().len(), 1);
    assert_eq!(WorkspaceStore::comments().reads().len(), 2);
}
