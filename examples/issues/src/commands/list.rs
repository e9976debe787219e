//! `issues workspaces` and `issues list`: from the headlines alone, no issue's store is opened.

use larder::prelude::*;
use serde::Serialize;

use crate::{
    failure::Failure,
    helpers::Workspace,
    output::{Grid, Output, count, minute, things},
    stores::{Counts, Headline, State, WorkspaceId, WorkspaceStore},
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

#[derive(Serialize)]
struct IssueLine {
    workspace: String,
    #[serde(flatten)]
    headline: Headline,
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
    let workspaces = match workspace {
        Some(name) => vec![name.to_owned()],
        None => all(registry).await?,
    };
    let (mut lines, mut total) = (Vec::new(), 0);
    for name in &workspaces {
        let workspace = Workspace::enter(registry, name).await?;
        let wanted = match state {
            Some(state) => Headline::filter(Headline::STATE.eq(state)),
            None => Headline::all(),
        };
        let newest = wanted.clone().order_by((Headline::LAST_ACTIVITY.desc(), Headline::NUMBER.desc()));
        let (found, headlines) = workspace.store().query((wanted.count(), newest.limit(limit)))?;
        total += found;
        lines.extend(headlines.into_iter().map(|headline| IssueLine { workspace: name.to_owned(), headline }));
    }
    // Each workspace is in this order already, so that the first of them all are among the first of each.
    lines.sort_by_key(|line| std::cmp::Reverse(line.headline.last_activity));
    lines.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    if output.is_json() {
        return Ok(output.json(&lines)?);
    }
    if workspaces.is_empty() {
        return Ok(output.line(NOTHING)?);
    }
    let shown = lines.len() as u64;
    let mut table = Grid::new(&["issue", "state", ">comments", "last activity", "title"]);
    for IssueLine { workspace, headline } in lines {
        let Headline { number, title, state, comments, last_activity } = headline;
        let (issue, comments) = (format!("{workspace}#{number}"), count(comments.unsigned_abs()));
        table.row([issue, state.to_string(), comments, minute(last_activity), title]);
    }
    output.table(&table)?;
    if shown < total {
        output.line(format!("{} of {}; `--limit 0` shows all", count(shown), things(total, "issue")))?;
    }
    Ok(())
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
