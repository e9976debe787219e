//! What a left join may not find is an `Option`.

use larder::prelude::*;

fn misuse(store: &Store<WorkspaceStore>) {
    let _: Result<Vec<(String, String)>, _> =
        store.query(Issue::all().left_join(Comment::ISSUE).select((Issue::TITLE, Comment::BODY)));
}

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    title: String,
    status: Status,
    points: Option<i64>,
    #[table(references(Issue))]
    parent: Option<i64>,
}

#[derive(ColumnValue)]
enum Status {
    Open,
    Closed,
}

#[derive(Table)]
struct Comment {
    #[table(primary_key)]
    id: i64,
    #[table(references(Issue))]
    issue: i64,
    body: String,
}

#[derive(Table)]
struct Label {
    #[table(primary_key)]
    text: String,
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
    fn materialize(_: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        Ok(())
    }
}

define_store! {
    WorkspaceStore { name: "workspace", schema: WorkspaceSchema, adapter: SqliteAdapter::persisted() }
}

fn main() {}
