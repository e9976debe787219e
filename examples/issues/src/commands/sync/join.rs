//! `issues join`: a workspace that others have shared, with all its issues.

use std::time::Duration;

use larder::{SyncError, SyncPhase, prelude::*};
use serde::Serialize;

use super::{Answer, Server, Sharing, in_words};
use crate::{
    failure::Failure,
    helpers::{self, Workspace},
    output::{Output, things},
    stores::{Headline, WorkspaceId, WorkspaceStore},
};

/// Stores that are fetched at the same time.
const TOGETHER: usize = 32;

/// How long nothing may come before a fetch is given up.
const NOTHING_COMES: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct Joined {
    workspace: String,
    issues: u64,
}

/// Fetches a workspace and its issues. What cannot be fetched is an error, and nothing is made for a name that nobody has.
pub(in crate::commands) async fn join(
    registry: &StoreRegistry,
    name: &str,
    sharing: &Sharing,
    output: &mut Output,
) -> Result<(), Failure> {
    let Some(Server { url, answer }) = &sharing.server else { return Err(Failure::NoServer) };
    let not_fetched = |reason: String| Failure::NotFetched { workspace: name.to_owned(), reason };
    match answer {
        Answer::Away(why) => {
            return Err(Failure::Unreachable { workspace: name.into(), url: url.clone(), why: why.clone() });
        }
        Answer::Refused(why) => {
            return Err(Failure::Refused { workspace: name.into(), url: url.clone(), why: why.clone() });
        }
        Answer::There { has_workspace } => {
            let id = WorkspaceId { name: name.to_owned() };
            if !has_workspace && !registry.exists::<WorkspaceStore>(&id).await? {
                return Err(Failure::NotShared { workspace: name.to_owned(), url: url.clone() });
            }
        }
    }
    let workspace = Workspace::enter_or_begin(registry, name).await?;
    fetched(workspace.store()).await.map_err(not_fetched)?;
    let numbers = workspace.store().query(Headline::all().select(Headline::NUMBER))?;
    let mut missing = Vec::new();
    for numbers in numbers.chunks(TOGETHER) {
        let fetch = |number: &i64| {
            let get = helpers::issue(registry, name, *number);
            tokio::spawn(async move { Ok::<_, LoadError>(fetched(&get.await?).await) })
        };
        let fetches: Vec<_> = numbers.iter().map(fetch).collect();
        for fetch in fetches {
            let fetched = fetch.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
            missing.extend(fetched?.err());
        }
    }
    if let Some(why) = missing.first() {
        let (missing, all) = (missing.len(), things(numbers.len() as u64, "issue"));
        return Err(not_fetched(format!("{missing} of {all} did not come: {why}")));
    }
    let joined = Joined { workspace: name.to_owned(), issues: numbers.len() as u64 };
    if output.is_json() {
        return Ok(output.json(&joined)?);
    }
    let are = if joined.issues == 1 { "is" } else { "are" };
    Ok(output.line(format!("{} of {name} {are} here", things(joined.issues, "issue")))?)
}

/// Waits until a store has all that the server has; why it has not.
async fn fetched<D: StoreDefinition>(store: &StoreHandle<D>) -> Result<(), String> {
    let mut changes = store.watch_sync();
    loop {
        let status = store.sync_status();
        match (status.phase, &status.last_error) {
            (SyncPhase::Live, _) if status.behind == 0 => return Ok(()),
            (SyncPhase::Off, _) => return Err("it is not shared".to_owned()),
            (SyncPhase::Stopped, Some(error)) | (_, Some(error @ SyncError::Unauthorized { .. })) => {
                return Err(in_words(error));
            }
            _ => {}
        }
        match tokio::time::timeout(NOTHING_COMES, changes.next()).await {
            Ok(Some(_)) => {}
            Ok(None) => return Err("its store was closed".to_owned()),
            Err(_) => {
                let nothing = format!("nothing has come for {} s", NOTHING_COMES.as_secs());
                return Err(store.sync_status().last_error.as_ref().map_or(nothing, in_words));
            }
        }
    }
}
