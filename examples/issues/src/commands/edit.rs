//! `issues open`, `comment`, `close` and `author`: what changes something.

use larder::prelude::*;

use super::sync::Sharing;
use crate::{
    catch_up::catch_up,
    failure::Failure,
    helpers::{self, Workspace},
    output::Output,
    stores::{Issue, IssueEvent, IssueStore, Setting, SettingEvent, WorkspaceStore},
};

/// The setting that `issues author` chooses.
const AUTHOR: &str = "author";

/// Opens an issue.
pub(super) async fn open(
    registry: &StoreRegistry,
    workspace: &str,
    title: String,
    author: Option<String>,
    sharing: &Sharing,
    output: &mut Output,
) -> Result<(), Failure> {
    let author = author_or_default(registry, author).await?;
    let workspace = Workspace::enter_or_begin(registry, workspace).await?;
    loop {
        let number = workspace.store().query(WorkspaceStore::next_number())?;
        let issue = workspace.issue(number).await?;
        if issue.query(Issue::by_key(number))?.is_some() {
            // Somebody opened it and the headline is not here yet: it is written now, and the next number is free.
            catch_up(workspace.store(), number, &issue)?;
            continue;
        }
        let (title, author) = (title.clone(), author.clone());
        let opened = IssueEvent::Opened { number, title, author, at: issue.now(), activity: Uuid::new_v4() };
        let receipt = issue.commit(opened).map_err(|error| Failure::commit(&error))?;
        if sharing.is_pushed_out(&receipt).await {
            // Somebody else opened one under this number at the same time, and was first.
            continue;
        }
        return finish(&workspace, number, &issue, "opened", output);
    }
}

/// Comments on an issue.
pub(super) async fn comment(
    registry: &StoreRegistry,
    workspace: &str,
    number: i64,
    body: String,
    author: Option<String>,
    output: &mut Output,
) -> Result<(), Failure> {
    let author = author_or_default(registry, author).await?;
    let workspace = Workspace::enter(registry, workspace).await?;
    workspace.headline(number)?;
    let issue = workspace.issue(number).await?;
    let commented = IssueEvent::Commented { body, author, at: issue.now(), activity: Uuid::new_v4() };
    commit(&workspace, number, &issue, commented, "commented on", output)
}

/// Closes an issue.
pub(super) async fn close(
    registry: &StoreRegistry,
    workspace: &str,
    number: i64,
    author: Option<String>,
    output: &mut Output,
) -> Result<(), Failure> {
    let author = author_or_default(registry, author).await?;
    let workspace = Workspace::enter(registry, workspace).await?;
    workspace.headline(number)?;
    let issue = workspace.issue(number).await?;
    let closed = IssueEvent::Closed { author, at: issue.now(), activity: Uuid::new_v4() };
    commit(&workspace, number, &issue, closed, "closed", output)
}

/// Shows or sets the name that comments are written under.
pub(super) async fn author(registry: &StoreRegistry, name: Option<String>, output: &mut Output) -> Result<(), Failure> {
    let settings = helpers::settings(registry).await?;
    if let Some(value) = name {
        let chosen = SettingEvent::Chosen { name: AUTHOR.to_owned(), value };
        settings.commit(chosen).map_err(|error| Failure::commit(&error))?;
    }
    let author = author_or_default(registry, None).await?;
    if output.is_json() {
        return Ok(output.json(&serde_json::json!({ "author": author }))?);
    }
    Ok(output.line(author)?)
}

async fn author_or_default(registry: &StoreRegistry, author: Option<String>) -> Result<String, Failure> {
    if let Some(author) = author {
        return Ok(author);
    }
    let chosen = helpers::settings(registry).await?.query(Setting::by_key(AUTHOR))?;
    let user = || std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
    Ok(chosen.map_or_else(user, |setting| setting.value))
}

/// The issue's store first, then the workspace's, as in an import.
fn commit(
    workspace: &Workspace,
    number: i64,
    issue: &StoreHandle<IssueStore>,
    event: IssueEvent,
    done: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    issue.commit(event).map_err(|error| Failure::commit(&error))?;
    finish(workspace, number, issue, done, output)
}

/// The issue's store has it: the workspace gets it, and whoever asked is told.
fn finish(
    workspace: &Workspace,
    number: i64,
    issue: &StoreHandle<IssueStore>,
    done: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    catch_up(workspace.store(), number, issue)?;
    let headline = workspace.headline(number)?;
    if output.is_json() {
        return Ok(output.json(&serde_json::json!({ "workspace": workspace.name(), "issue": headline }))?);
    }
    Ok(output.line(format!("{done} {}#{number}", workspace.name()))?)
}
