//! A parameter has a name.

use larder::prelude::*;

define_store! {
    WorkspaceStore {
        name: "workspace",
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::persisted(),

        queries {
            fn of((a, b): (i64, i64)) -> Vec<i64> = "SELECT number FROM issues";
        }
    }
}

#[derive(Row)]
struct Workload {
    assignee: Option<String>,
    open: i64,
}

#[derive(Table)]
#[table(name = "issues", index(status, opened_at))]
struct Issue {
    #[table(primary_key)]
    number: i64,
    title: String,
    status: Status,
    assignee: Option<String>,
    opened_at: Timestamp,
}

#[derive(Table)]
#[table(name = "comments")]
struct Comment {
    #[table(primary_key)]
    id: i64,
    #[table(references(Issue))]
    issue: i64,
    body: String,
}

#[derive(ColumnValue)]
enum Status {
    Open,
    Closed,
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue, Comment))]
struct WorkspaceSchema;

#[larder::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(_: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        Ok(())
    }
}

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64 },
}

fn main() {}
