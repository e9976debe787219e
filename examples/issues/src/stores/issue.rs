//! The store of one issue: its title, its state and everything that was said and done.

use larder::prelude::*;
use serde::Serialize;

use super::State;

/// Which issue: the project's name and the number there.
#[derive(StoreKey, Clone, Debug, PartialEq, Eq, Hash)]
#[store_key("project:{workspace}:issue:{number}")]
pub struct IssueId {
    /// The workspace's name.
    pub workspace: String,
    /// The issue's number in the workspace.
    pub number: i64,
}

/// The issue itself: one row.
#[derive(Table, Serialize, Clone, Debug, PartialEq)]
#[table(name = "issue")]
pub struct Issue {
    /// The number in its workspace.
    #[table(primary_key)]
    pub number: i64,
    /// What it is about.
    pub title: String,
    /// Whether it is still worked on.
    pub state: State,
}

/// Something that somebody did: opened, commented, closed. Its key refuses the same activity twice.
#[derive(Table, Serialize, Clone, Debug, PartialEq)]
#[table(name = "activities")]
pub struct Activity {
    /// Names the activity for ever, here and in the workspace's store.
    #[table(primary_key)]
    pub id: Uuid,
    /// Where it stands in the issue's history.
    pub place: i64,
    /// What was done.
    pub kind: Kind,
    /// By whom.
    pub author: String,
    /// When.
    pub at: Timestamp,
    /// The text of a comment.
    pub body: Option<String>,
}

/// What was done.
#[derive(ColumnValue, Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The issue began.
    Opened,
    /// Somebody said something.
    Commented,
    /// The issue ended.
    Closed,
}

/// What happened to an issue.
#[derive(Event, Clone, Debug, PartialEq)]
pub enum IssueEvent {
    /// The issue began.
    #[event(name = "v1.IssueOpened")]
    Opened {
        /// The number in its workspace.
        number: i64,
        /// What it is about.
        title: String,
        /// By whom.
        author: String,
        /// When.
        at: Timestamp,
        /// The activity's id.
        activity: Uuid,
    },
    /// Somebody said something.
    #[event(name = "v1.IssueCommented")]
    Commented {
        /// What.
        body: String,
        /// By whom.
        author: String,
        /// When.
        at: Timestamp,
        /// The activity's id.
        activity: Uuid,
    },
    /// The issue ended.
    #[event(name = "v1.IssueClosed")]
    Closed {
        /// By whom.
        author: String,
        /// When.
        at: Timestamp,
        /// The activity's id.
        activity: Uuid,
    },
}

/// Tables and events of an issue.
#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue, Activity), version = 1)]
pub struct IssueSchema;

#[larder::materializer]
impl Materializer for IssueSchema {
    fn materialize(event: &IssueEvent, about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let place = i64::try_from(about.number().global()).map_err(larder::MaterializeError::app)?;
        match event {
            IssueEvent::Opened { number, title, author, at, activity } => {
                let author = author.clone();
                tables.insert(Activity { id: *activity, place, kind: Kind::Opened, author, at: *at, body: None })?;
                tables.insert(Issue { number: *number, title: title.clone(), state: State::Open })
            }
            IssueEvent::Commented { body, author, at, activity } => {
                let (author, body) = (author.clone(), Some(body.clone()));
                tables.insert(Activity { id: *activity, place, kind: Kind::Commented, author, at: *at, body })
            }
            IssueEvent::Closed { author, at, activity } => {
                let author = author.clone();
                tables.insert(Activity { id: *activity, place, kind: Kind::Closed, author, at: *at, body: None })?;
                tables.update(Issue::all()).set(Issue::STATE, State::Closed).run_one()
            }
        }
    }
}

define_store! {
    /// One issue.
    pub IssueStore {
        name: "issue",
        id: IssueId,
        schema: IssueSchema,
        adapter: SqliteAdapter::persisted(),
        // Somebody who leaves an issue often comes back to it; after two minutes the memory is worth more.
        gc_time: GcTime::minutes(2),
    }
}
