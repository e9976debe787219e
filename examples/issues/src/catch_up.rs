//! A workspace's headline catches up with its issue: the one repair that two stores without a common transaction need.

use larder::prelude::*;

use crate::{
    failure::{Failure, is_repeated},
    stores::{Activity, Applied, Issue, IssueStore, Kind, WorkspaceEvent, WorkspaceStore},
};

/// Commits to the workspace what its headline lacks of the issue: the activity just committed there, and any that a killed process left
/// behind. What the workspace has applied is left alone.
///
/// # Errors
/// When a store cannot be read or written.
pub fn catch_up(workspace: &Store<WorkspaceStore>, number: i64, issue: &Store<IssueStore>) -> Result<(), Failure> {
    let by_place = Activity::all().order_by(Activity::PLACE.asc());
    let (row, activities) = issue.query((Issue::by_key(number), by_place))?;
    let title = row.map(|issue| issue.title).unwrap_or_default();
    for Activity { id: activity, kind, at, .. } in activities {
        if workspace.query(Applied::by_key(activity))?.is_some() {
            continue;
        }
        let event = match kind {
            Kind::Opened => WorkspaceEvent::IssueOpened { number, title: title.clone(), at, activity },
            Kind::Commented => WorkspaceEvent::IssueCommented { number, at, activity },
            Kind::Closed => WorkspaceEvent::IssueClosed { number, at, activity },
        };
        match workspace.commit(event) {
            Err(error) if !is_repeated(&error, "applied") => return Err(Failure::commit(&error)),
            _ => {}
        }
    }
    Ok(())
}
