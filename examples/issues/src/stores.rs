//! The store definitions: a workspace, an issue, this installation's settings, and the list of all issues.

mod issue;
mod issue_list;
mod settings;
mod workspace;

use larder::prelude::*;
use serde::Serialize;

pub use self::{
    issue::{Activity, Issue, IssueEvent, IssueId, IssueSchema, IssueStore, Kind},
    issue_list::{IssueList, IssueListSchema, ListedIssue},
    settings::{Setting, SettingEvent, SettingsSchema, SettingsStore},
    workspace::{Applied, Counts, Headline, WorkspaceEvent, WorkspaceId, WorkspaceSchema, WorkspaceStore},
};

/// Whether an issue is still worked on.
#[derive(ColumnValue, Serialize, clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Still worked on.
    Open,
    /// Done, or given up.
    Closed,
}

impl std::fmt::Display for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Open => "open",
            Self::Closed => "closed",
        })
    }
}
