//! The store of one workspace: the headlines of all its issues.

use larder::prelude::*;
use serde::Serialize;

use super::State;

/// Which workspace, by the project's name.
#[derive(StoreKey, Clone, Debug, PartialEq, Eq, Hash)]
#[store_key("workspace:{name}")]
pub struct WorkspaceId {
    /// Such as `rusqlite/rusqlite`.
    pub name: String,
}

/// One issue in short, so that a list needs no issue store.
#[derive(Table, Serialize, Clone, Debug, PartialEq)]
#[table(name = "headlines")]
pub struct Headline {
    /// The issue's number in its workspace.
    #[table(primary_key)]
    pub number: i64,
    /// What it is about.
    pub title: String,
    /// Whether it is still worked on.
    pub state: State,
    /// How many comments it has.
    pub comments: i64,
    /// When somebody last did something about it.
    pub last_activity: Timestamp,
}

/// An activity that the headlines show already. Its key refuses to apply the same activity twice.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "applied")]
pub struct Applied {
    /// The activity's id, the same in the issue's store.
    #[table(primary_key)]
    pub activity: Uuid,
}

/// What happened in a workspace.
#[derive(Event, Clone, Debug, PartialEq)]
pub enum WorkspaceEvent {
    /// Somebody opened an issue.
    #[event(name = "v1.IssueOpened")]
    IssueOpened {
        /// The issue's number, unique in the workspace.
        number: i64,
        /// What it is about.
        title: String,
        /// When.
        at: Timestamp,
        /// The activity's id.
        activity: Uuid,
    },
    /// Somebody commented on an issue; the text is in the issue's store.
    #[event(name = "v1.IssueCommented")]
    IssueCommented {
        /// Which issue.
        number: i64,
        /// When.
        at: Timestamp,
        /// The activity's id.
        activity: Uuid,
    },
    /// Somebody closed an issue.
    #[event(name = "v1.IssueClosed")]
    IssueClosed {
        /// Which issue.
        number: i64,
        /// When.
        at: Timestamp,
        /// The activity's id.
        activity: Uuid,
    },
}

/// Tables and events of a workspace.
#[derive(StoreSchema)]
#[schema(events = WorkspaceEvent, tables(Headline, Applied), version = 1)]
pub struct WorkspaceSchema;

#[larder::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(event: &WorkspaceEvent, _about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            WorkspaceEvent::IssueOpened { number, title, at, activity } => {
                tables.insert(Applied { activity: *activity })?;
                tables.insert(Headline {
                    number: *number,
                    title: title.clone(),
                    state: State::Open,
                    comments: 0,
                    last_activity: *at,
                })
            }
            WorkspaceEvent::IssueCommented { number, at, activity } => {
                tables.insert(Applied { activity: *activity })?;
                change(tables, *number, *at, |headline| headline.comments += 1)
            }
            WorkspaceEvent::IssueClosed { number, at, activity } => {
                tables.insert(Applied { activity: *activity })?;
                change(tables, *number, *at, |headline| headline.state = State::Closed)
            }
        }
    }
}

/// Changes a headline and notes when. An issue without a headline is refused.
fn change(
    tables: &mut Tables<'_, WorkspaceSchema>,
    number: i64,
    at: Timestamp,
    change: impl FnOnce(&mut Headline),
) -> MaterializeResult {
    let Some(mut headline) = tables.query(Headline::by_key(number))? else {
        return Err(larder::MaterializeError::app(format!("issue {number} has no headline; open it first")));
    };
    change(&mut headline);
    tables
        .update(Headline::by_key(number))
        .set(Headline::STATE, headline.state)
        .set(Headline::COMMENTS, headline.comments)
        .set(Headline::LAST_ACTIVITY, headline.last_activity.max(at))
        .run_one()
}

/// How many issues a workspace has.
#[derive(Row, Serialize, Clone, Debug, PartialEq)]
pub struct Counts {
    /// Issues still worked on.
    pub open: i64,
    /// Issues done.
    pub closed: i64,
    /// Comments on all issues.
    pub comments: i64,
    /// When somebody last did something; `None` in an empty workspace.
    pub last_activity: Option<Timestamp>,
}

define_store! {
    /// The issues of one workspace.
    pub WorkspaceStore {
        name: "workspace",
        id: WorkspaceId,
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::persisted(),
        // There are few workspaces, and everything begins with one: it stays as long as the process.
        gc_time: GcTime::NEVER,

        queries {
            /// The workspace in one line.
            pub fn counts() -> Counts =
                "SELECT count(*) FILTER (WHERE state = 'Open') AS open,
                        count(*) FILTER (WHERE state = 'Closed') AS closed,
                        coalesce(sum(comments), 0) AS comments,
                        max(last_activity) AS last_activity
                 FROM headlines";
            /// The number that the next issue gets.
            pub fn next_number() -> i64 = "SELECT coalesce(max(number), 0) + 1 FROM headlines";
        }
    }
}
