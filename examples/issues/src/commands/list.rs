//! `issues workspaces` and `issues list`: from the headlines of a workspace, or from the list of all issues; no issue's store is loaded.

use larder::{FailedStore, prelude::*};
use serde::Serialize;

use crate::{
    failure::Failure,
    helpers::Workspace,
    output::{Grid, Output, count, minute, things},
    stores::{Counts, Headline, IssueId, IssueList, ListedIssue, State, WorkspaceId, WorkspaceStore},
};

#[derive(Serialize)]
struct WorkspaceLine {
    workspace: String,
    #[serde(flatten)]
    counts: Counts,
}

/// One line per workspace.
pub(super) async fn workspaces(registry: &StoreRegistry, output: &mut Output) -> Result<(), Failure> {
    let mut lines = Vec::new();
    for name in all(registry).await? {
        let workspace = Workspace::enter(registry, &name).await?;
        let counts = workspace.store().query(WorkspaceStore::counts())?;
        lines.push(WorkspaceLine { workspace: name, counts });
    }
    if output.is_json() {
        return Ok(output.json(&lines)?);
    }
    if lines.is_empty() {
        return Ok(output.line(NOTHING)?);
    }
    let mut table = Grid::new(&["workspace", ">open", ">closed", ">comments", "last activity"]);
    for WorkspaceLine { workspace, counts } in lines {
        let number = |number: i64| count(number.unsigned_abs());
        let last = counts.last_activity.map(minute).unwrap_or_default();
        table.row([workspace, number(counts.open), number(counts.closed), number(counts.comments), last]);
    }
    Ok(output.table(&table)?)
}

const NOTHING: &str = "no workspaces yet; `issues import` brings some, `issues open WORKSPACE TITLE` begins one";

/// An issue in a list.
#[derive(Serialize)]
pub(super) struct IssueLine {
    pub(super) workspace: String,
    #[serde(flatten)]
    pub(super) headline: Headline,
}

/// The issues of one workspace or of all, the latest activity first.
pub(super) async fn issues(
    registry: &StoreRegistry,
    workspace: Option<&str>,
    state: Option<State>,
    limit: u64,
    output: &mut Output,
) -> Result<(), Failure> {
    let limit = if limit == 0 { u64::MAX } else { limit };
    let (lines, total) = match workspace {
        Some(name) => of_workspace(registry, name, state, limit).await?,
        None => of_all(registry, state, limit).await?,
    };
    print(&lines, total, output)
}

/// Prints issues, and how many there are when not all are shown.
pub(super) fn print(lines: &[IssueLine], total: u64, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return Ok(output.json(&lines)?);
    }
    if total == 0 {
        return Ok(output.line("no issues; `issues workspaces` says where there are some")?);
    }
    let mut table = Grid::new(&["issue", "state", ">comments", "last activity", "title"]);
    for IssueLine { workspace, headline } in lines {
        let Headline { number, title, state, comments, last_activity } = headline;
        let (issue, comments) = (format!("{workspace}#{number}"), count(comments.unsigned_abs()));
        table.row([issue, state.to_string(), comments, minute(*last_activity), title.clone()]);
    }
    output.table(&table)?;
    let shown = lines.len() as u64;
    if shown < total {
        output.line(format!("{} of {}; `--limit 0` shows all", count(shown), things(total, "issue")))?;
    }
    Ok(())
}

/// From the headlines of a workspace.
async fn of_workspace(
    registry: &StoreRegistry,
    name: &str,
    state: Option<State>,
    limit: u64,
) -> Result<(Vec<IssueLine>, u64), Failure> {
    let workspace = Workspace::enter(registry, name).await?;
    let wanted = match state {
        Some(state) => Headline::filter(Headline::STATE.eq(state)),
        None => Headline::all(),
    };
    let newest = wanted.clone().order_by((Headline::LAST_ACTIVITY.desc(), Headline::NUMBER.desc())).limit(limit);
    let (total, headlines) = workspace.store().query((wanted.count(), newest))?;
    let line = |headline| IssueLine { workspace: name.to_owned(), headline };
    Ok((headlines.into_iter().map(line).collect(), total))
}

/// From the list of all issues, which is kept up to date with their stores.
async fn of_all(registry: &StoreRegistry, state: Option<State>, limit: u64) -> Result<(Vec<IssueLine>, u64), Failure> {
    let list = registry.projection::<IssueList>().await?;
    report_failed(&list.failed());
    let wanted = match state {
        Some(state) => ListedIssue::filter(ListedIssue::STATE.eq(state)),
        None => ListedIssue::all(),
    };
    let newest = wanted.clone().order_by(ListedIssue::LAST_ACTIVITY.desc()).limit(limit);
    let (total, listed) = list.query((wanted.count(), newest))?;
    let line = |listed: ListedIssue| {
        let IssueId { workspace, number } = listed.source.key()?;
        let ListedIssue { title, state, comments, last_activity, .. } = listed;
        Ok(IssueLine { workspace, headline: Headline { number, title, state, comments, last_activity } })
    };
    Ok((listed.into_iter().map(line).collect::<Result<_, Failure>>()?, total))
}

/// Says which stores could not be read; what the others have stands.
pub(super) fn report_failed(failed: &[FailedStore]) {
    for FailedStore { error, .. } in failed {
        eprintln!("issues: {error}; left out");
    }
}

/// Every workspace of the data dir, by name. They are entered one after the other: there may be more than can be loaded at once.
async fn all(registry: &StoreRegistry) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for stored in registry.stored::<WorkspaceStore>().await? {
        let WorkspaceId { name } = stored.key?;
        names.push(name);
    }
    names.sort();
    Ok(names)
}
