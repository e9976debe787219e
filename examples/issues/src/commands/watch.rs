//! `issues watch`: a workspace's open issues and workload, live, and if wanted an import that changes them meanwhile.

mod feed;
mod keys;
mod screen;

use std::path::PathBuf;

use larder::{Fits, prelude::*};
use serde::Serialize;

use self::{feed::Feed, keys::Keys, screen::Screen};
use crate::{
    failure::Failure,
    helpers::Workspace,
    input::Lines,
    output::Output,
    stores::{Counts, Headline, State, WorkspaceStore},
};

/// Open issues that are shown.
const SHOWN: u64 = 100;

/// Issues that are shown as most of the work.
const BUSIEST: u64 = 5;

/// What the query answers: see [`Shown`].
type Answer = (Counts, Vec<Headline>, Vec<Headline>);

/// What is shown of a workspace: one consistent state of it.
#[derive(Serialize, Clone, Debug)]
struct Shown<'a> {
    workspace: &'a str,
    #[serde(flatten)]
    counts: &'a Counts,
    /// The open issues with the most comments.
    busiest: &'a [Headline],
    /// The open issues, the latest activity first.
    issues: &'a [Headline],
}

impl<'a> Shown<'a> {
    fn new(workspace: &'a str, (counts, busiest, issues): &'a Answer) -> Self {
        Self { workspace, counts, busiest, issues }
    }
}

/// A tuple is asked of one state, so that the counts are those of the list.
fn wanted() -> impl Fits<WorkspaceStore, Output = Answer> + Send + Sync + 'static {
    let open = || Headline::filter(Headline::STATE.eq(State::Open));
    (
        WorkspaceStore::counts(),
        open().order_by(Headline::COMMENTS.desc()).limit(BUSIEST),
        open().order_by(Headline::LAST_ACTIVITY.desc()).limit(SHOWN),
    )
}

/// Watches a workspace until somebody presses `q`. Where there is no terminal each change is a line, and the end of the import the end.
pub(super) async fn run(
    registry: &StoreRegistry,
    name: &str,
    import: Option<PathBuf>,
    output: &mut Output,
) -> Result<(), Failure> {
    let workspace = match &import {
        Some(path) => {
            // Before anything is made.
            Lines::open(path).map_err(|source| Failure::Input { name: path.display().to_string(), source })?;
            Workspace::enter_or_begin(registry, name).await?
        }
        None => Workspace::enter(registry, name).await?,
    };
    let feed = import.map(|path| Feed::begin(registry, path));
    if output.is_terminal() && !output.is_json() {
        on_terminal(&workspace, feed).await
    } else {
        in_lines(&workspace, feed, output).await
    }
}

async fn on_terminal(workspace: &Workspace, mut feed: Option<Feed>) -> Result<(), Failure> {
    let mut screen = Screen::begin().map_err(Failure::Terminal)?;
    let mut keys = Keys::begin();
    let mut live = workspace.store().subscribe(wanted());
    let mut answer: Option<std::sync::Arc<Answer>> = None;
    loop {
        if let Some(answer) = &answer {
            let note = feed.as_ref().map(Feed::note).unwrap_or_default();
            screen.draw(&Shown::new(workspace.name(), answer), &note).map_err(Failure::Terminal)?;
        }
        tokio::select! {
            next = live.next() => match next {
                Some(next) => answer = Some(next?.into_inner()),
                None => return Ok(()),
            },
            imported = feed::step(&mut feed) => imported?,
            redraw = keys.next() => if !redraw { return Ok(()) },
        }
    }
}

async fn in_lines(workspace: &Workspace, mut feed: Option<Feed>, output: &mut Output) -> Result<(), Failure> {
    let mut live = workspace.store().subscribe(wanted());
    loop {
        tokio::select! {
            next = live.next() => match next {
                Some(next) => line(workspace, &next?.into_inner(), output)?,
                None => return Ok(()),
            },
            imported = feed::step(&mut feed) => {
                imported?;
                if feed.as_ref().is_some_and(Feed::is_over) {
                    return line(workspace, &workspace.store().query(wanted())?, output);
                }
            }
        }
    }
}

fn line(workspace: &Workspace, answer: &Answer, output: &mut Output) -> Result<(), Failure> {
    let shown = Shown::new(workspace.name(), answer);
    if output.is_json() {
        output.json(&shown)?;
    } else {
        let Counts { open, closed, comments, .. } = shown.counts;
        let newest = shown.issues.first().map(|issue| format!("; #{} {}", issue.number, issue.title));
        let newest = crate::output::printable(&newest.unwrap_or_default());
        output.line(format!("{}: {open} open, {closed} closed, {comments} comments{newest}", shown.workspace))?;
    }
    // Somebody reads along.
    Ok(output.flush()?)
}
