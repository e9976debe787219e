//! `issues sync-status`: how far each workspace and the server are.

use std::collections::BTreeMap;

use larder::{InitialSync, StoreOptions, SyncPhase, SyncStatus, prelude::*};
use serde::Serialize;

use super::{Answer, FIRST_SYNC, Server, Sharing, in_words};
use crate::{
    failure::Failure,
    output::{Grid, Output, count, printable},
    stores::{Applied, Headline, IssueStore, WorkspaceEvent, WorkspaceId, WorkspaceStore},
};

/// Workspaces that are looked at together.
const TOGETHER: usize = 32;

#[derive(Serialize)]
struct Standing {
    workspace: String,
    phase: String,
    confirmed: String,
    head: String,
    /// Events of the workspace that the server does not have.
    pending: u64,
    /// Events of its issues that the server does not have.
    pending_of_issues: u64,
    behind: u64,
    error: Option<String>,
    /// Issues opened here under numbers that others have taken first.
    not_taken: Vec<NotTaken>,
}

#[derive(Serialize)]
struct NotTaken {
    number: i64,
    title: String,
}

/// How far each workspace is.
pub(in crate::commands) async fn status(
    registry: &StoreRegistry,
    sharing: &Sharing,
    output: &mut Output,
) -> Result<(), Failure> {
    sharing.send_rest(registry, FIRST_SYNC).await?;
    let mut of_issues = BTreeMap::<String, u64>::new();
    for stored in registry.stored::<IssueStore>().await? {
        *of_issues.entry(stored.key?.workspace).or_default() += stored.unsent.unwrap_or_default();
    }
    let mut keys = Vec::new();
    for stored in registry.stored::<WorkspaceStore>().await? {
        keys.push(stored.key?);
    }
    let (mut all, answers) = (Vec::new(), sharing.answers());
    for keys in keys.chunks(TOGETHER) {
        // They are waited for together, so their loads wait for nothing.
        let get = |key: &WorkspaceId| {
            let skip = StoreOptions::new().initial_sync(InitialSync::Skip);
            let (get, name) = (registry.get::<WorkspaceStore>(key).options(skip), key.name.clone());
            tokio::spawn(async move { standing(name, &get.await?, answers).await })
        };
        let standings: Vec<_> = keys.iter().map(get).collect();
        for standing in standings {
            let standing = standing.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
            all.push(standing?);
        }
    }
    for standing in &mut all {
        standing.pending_of_issues = of_issues.get(&standing.workspace).copied().unwrap_or_default();
        if let Some(Server { answer: Answer::Away(why), .. }) = &sharing.server {
            standing.error = Some(format!("the sync server cannot be reached: {why}"));
        }
    }
    if output.is_json() {
        return Ok(output.json(&all)?);
    }
    output.table(&table(&all))?;
    if let Some(Server { url, answer: Answer::Away(why) }) = &sharing.server {
        // Once, and not of each workspace.
        output.line(format!("the sync server at `{url}` cannot be reached: {}", printable(why)))?;
        all.iter_mut().for_each(|standing| standing.error = None);
    }
    for Standing { workspace, error, not_taken, .. } in &all {
        if let Some(error) = error {
            output.line(format!("{}: {}", printable(workspace), printable(error)))?;
        }
        for NotTaken { number, title } in not_taken {
            let (workspace, title) = (printable(workspace), printable(title));
            output.line(format!("{workspace}: another issue is #{number} now; open yours again: {title}"))?;
        }
    }
    Ok(())
}

/// Without the errors, which are as long as they are: those stand below it.
fn table(all: &[Standing]) -> Grid {
    let mut grid = Grid::new(&["workspace", "sync", ">confirmed", ">head", ">pending", ">of issues", ">behind"]);
    for Standing { workspace, phase, confirmed, head, pending, pending_of_issues, behind, .. } in all {
        let [pending, of_issues, behind] = [pending, pending_of_issues, behind].map(|events| count(*events));
        grid.row([workspace.clone(), phase.clone(), confirmed.clone(), head.clone(), pending, of_issues, behind]);
    }
    grid
}

async fn standing(workspace: String, store: &StoreHandle<WorkspaceStore>, answers: bool) -> Result<Standing, Failure> {
    let SyncStatus { phase, confirmed, head, pending, behind, last_error, .. } = settled(store, answers).await;
    Ok(Standing {
        workspace,
        phase: format!("{phase:?}").to_lowercase(),
        confirmed: confirmed.to_string(),
        head: head.to_string(),
        pending,
        pending_of_issues: 0,
        behind,
        error: last_error.as_ref().map(in_words),
        not_taken: not_taken(store)?,
    })
}

/// The status when nothing is on its way any more, or that takes too long.
async fn settled(store: &StoreHandle<WorkspaceStore>, answers: bool) -> SyncStatus {
    let mut watch = store.watch_sync();
    let settling = async {
        loop {
            let status = store.sync_status();
            let is_settled = match status.phase {
                SyncPhase::Live => status.pending == 0 && status.behind == 0,
                SyncPhase::CatchingUp => false,
                // A store that was just loaded has not tried yet.
                SyncPhase::Offline => !answers || status.last_error.is_some(),
                _ => true,
            };
            if is_settled || watch.next().await.is_none() {
                return status;
            }
        }
    };
    tokio::time::timeout(FIRST_SYNC, settling).await.unwrap_or_else(|_| store.sync_status())
}

/// What was opened here, went behind the same number of somebody else, and was not opened again. A headline that another process wrote
/// first for the same activity is no loss.
fn not_taken(store: &StoreHandle<WorkspaceStore>) -> Result<Vec<NotTaken>, Failure> {
    let mut found = Vec::new();
    for quarantined in store.quarantined_events()? {
        // One of another version of this program is not for this one to judge.
        let Ok(Some(WorkspaceEvent::IssueOpened { number, title, activity, .. })) = quarantined.event.decode() else {
            continue;
        };
        let is_here = store.query(Applied::by_key(activity))?.is_some();
        let is_again = store.query(Headline::filter(Headline::TITLE.eq(title.as_str())).count())? > 0;
        if !is_here && !is_again {
            found.push(NotTaken { number, title });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_of_a_sync_status_is_cut_in_a_terminal_of_80_columns() {
        let standing = Standing {
            workspace: "a-long-organisation/with-a-long-project".to_owned(),
            phase: "catchingup".to_owned(),
            confirmed: "e123456".to_owned(),
            head: "e123456.12r3".to_owned(),
            pending: 1_234,
            pending_of_issues: 1_234,
            behind: 123_456,
            error: Some("a text that is longer than a terminal is wide".repeat(3)),
            not_taken: Vec::new(),
        };
        let lines = table(&[standing]).lines(Some(80));
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:?}");
        assert_eq!(
            lines[1].split_whitespace().skip(1).collect::<Vec<_>>(),
            ["catchingup", "e123456", "e123456.12r3", "1,234", "1,234", "123,456"]
        );
    }
}
