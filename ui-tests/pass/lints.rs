//! Generated code gives no warnings, whatever is denied, and documents what it makes public.

#![deny(warnings, missing_docs, unused, nonstandard_style, rust_2018_idioms, future_incompatible)]
#![deny(unreachable_pub, unused_qualifications, missing_debug_implementations, single_use_lifetimes)]

use larder::prelude::*;

/// An issue.
#[derive(Debug, Table)]
#[table(name = "issues", index(status, opened_at))]
pub struct Issue {
    /// Its number.
    #[table(primary_key)]
    pub number: i64,
    /// Open or not.
    #[table(default = "Open")]
    pub status: Status,
    /// When.
    pub opened_at: Timestamp,
    hidden: Option<String>,
}

/// Open or not.
#[derive(Clone, ColumnValue, Copy, Debug)]
pub enum Status {
    /// It is.
    Open,
    /// It was.
    Closed,
}

/// A name.
#[derive(ColumnValue, Debug)]
pub struct Author(String);

/// A comment.
#[derive(Debug, Table)]
pub struct Comment {
    /// Its id.
    #[table(primary_key)]
    pub id: Uuid,
    /// What it is about.
    #[table(references(Issue, on_delete = cascade))]
    pub issue: i64,
    /// By whom.
    pub author: Author,
}

/// How much there is to do.
#[derive(Debug, Row)]
pub struct Workload {
    /// For whom.
    pub assignee: Option<String>,
    /// How much.
    pub open: i64,
}

/// What happened.
#[derive(Debug, Event)]
pub enum IssueEvent {
    /// It began.
    #[event(name = "v2.IssueOpened", from("v1.IssueOpened" = upgrade))]
    Opened {
        /// Which.
        number: i64,
        /// When.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// It was looked at.
    #[event(name = "v1.IssueSelected", client_only)]
    Selected(Option<i64>),
    /// All gone.
    #[deprecated]
    #[event(name = "v1.Cleared", deprecated = "issues stay")]
    Cleared,
}

fn upgrade(number: i64) -> Result<IssueEvent, std::convert::Infallible> {
    Ok(IssueEvent::Opened { number, at: None })
}

/// The workspace's schema.
#[derive(Debug, StoreSchema)]
#[schema(events = IssueEvent, tables(Issue, Comment), version = 1)]
pub struct WorkspaceSchema;

#[larder::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(_: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        Ok(())
    }
}

/// Which workspace.
#[derive(Debug, StoreKey)]
#[store_key("workspace:{owner}:{name}")]
pub struct WorkspaceKey {
    /// Whose.
    pub owner: String,
    /// Which.
    pub name: String,
}

async fn announce(_: &Store<WorkspaceStore>, _: LoadContext) -> Result<(), std::fmt::Error> {
    Ok(())
}

define_store! {
    /// The issues of one workspace.
    #[derive(Clone, Copy, Debug)]
    pub WorkspaceStore {
        name: "workspace",
        id: WorkspaceKey,
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
        on_load: announce,

        queries {
            /// The state of one.
            #[indexed]
            pub fn status(number: i64) -> Option<Status> = "SELECT status FROM issues WHERE number = :number";

            /// By whom there is something, and how much.
            pub fn workload(least: i64, name: &str) -> Vec<Workload> =
                "SELECT hidden AS assignee, count(*) AS open FROM issues WHERE hidden LIKE :name
                 GROUP BY hidden HAVING open >= :least";

            /// Comments and when their issue began.
            pub fn comments(of: Option<i64>) -> Vec<(Uuid, Author, Timestamp)> =
                "SELECT c.id, c.author, i.opened_at FROM comment AS c JOIN issues AS i ON i.number = c.issue WHERE c.issue = :of";
        }
    }
}

define_store! {
    /// The app itself.
    #[derive(Debug)]
    pub(crate) AppStore {
        name: "app",
        singleton: "app-root",
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::in_memory(),
    }
}

fn main() {
    let issue = Issue { number: 1, status: Status::Open, opened_at: Timestamp::UNIX_EPOCH, hidden: None };
    let _ = (issue.number, issue.hidden, Status::Closed, std::any::type_name::<AppStore>());
}
