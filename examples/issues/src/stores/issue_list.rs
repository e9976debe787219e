//! All issues of all workspaces in one list: a projection of the issues' own stores.

use larder::prelude::*;
use serde::Serialize;

use super::{IssueEvent, IssueStore, State};

/// One issue of the list. Which one it is, its source says: an `IssueId`.
#[derive(Table, Serialize, Clone, Debug, PartialEq)]
#[table(name = "listed", index(state, last_activity))]
pub struct ListedIssue {
    /// The issue's store.
    #[table(primary_key)]
    pub source: SourceId,
    /// What it is about.
    pub title: String,
    /// Who opened it.
    pub author: String,
    /// Whether it is still worked on.
    pub state: State,
    /// How many comments it has.
    pub comments: i64,
    /// When anything last happened to it.
    #[table(index)]
    pub last_activity: Timestamp,
}

/// The tables of the list, made of the events of the issues.
#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(ListedIssue), version = 1)]
pub struct IssueListSchema;

#[larder::materializer]
impl Materializer for IssueListSchema {
    fn materialize(event: &IssueEvent, _about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let this = ListedIssue::by_key(SourceId::this());
        match event {
            IssueEvent::Opened { title, author, at, .. } => tables.insert(ListedIssue {
                source: SourceId::this(),
                title: title.clone(),
                author: author.clone(),
                state: State::Open,
                comments: 0,
                last_activity: *at,
            }),
            IssueEvent::Commented { at, .. } => tables
                .update(this)
                .set(ListedIssue::COMMENTS, ListedIssue::COMMENTS + 1)
                .set(ListedIssue::LAST_ACTIVITY, *at)
                .run(),
            IssueEvent::Closed { at, .. } => {
                tables.update(this).set(ListedIssue::STATE, State::Closed).set(ListedIssue::LAST_ACTIVITY, *at).run()
            }
        }
    }
}

define_projection! {
    /// Every issue of every workspace, listed without opening them.
    pub IssueList {
        name: "issue-list",
        source: IssueStore,
        schema: IssueListSchema,
        adapter: SqliteAdapter::persisted(),
    }
}
