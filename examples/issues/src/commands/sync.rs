//! `issues join` and `issues sync-status`: workspaces that are shared through a sync server.

use std::time::Duration;

use larder::{InitialSync, Payload, StoreOptions, SyncBackend, SyncPhase, SyncStatus, WsBackend, prelude::*};
use serde::Serialize;

use crate::{
    failure::Failure,
    helpers::{self, Workspace},
    output::{Grid, Output, count},
    stores::{Headline, WorkspaceStore},
};

/// How long a store waits for what others have done before it is shown as it is here.
const FIRST_SYNC: Duration = Duration::from_secs(5);

/// How long what was done may take to reach the server, and the server to answer at all.
const LAST_SYNC: Duration = Duration::from_secs(10);
const ANSWERS: Duration = Duration::from_secs(2);

/// Stores that are fetched at the same time.
const TOGETHER: usize = 32;

/// What the environment variable says that the server is to know.
const TOKEN: &str = "ISSUES_TOKEN";

/// How the stores are shared, if they are.
pub(super) struct Sharing {
    /// The options of all stores.
    pub(super) options: StoreOptions,
    /// How long what was done may take to reach the server, before the program ends.
    pub(super) at_the_end: Duration,
}

/// With the server at a URL. Where it is not there now, nothing waits for it: what is done is sent by a later command.
pub(super) async fn sharing(url: Option<&str>) -> Result<Sharing, Failure> {
    let Some(url) = url else { return Ok(Sharing { options: StoreOptions::new(), at_the_end: LAST_SYNC }) };
    let backend = WsBackend::new(url)?;
    let is_there = matches!(tokio::time::timeout(ANSWERS, backend.connect()).await, Ok(Ok(())));
    let payload = std::env::var(TOKEN).map_or_else(|_| Payload::new(), |token| Payload::new().with("authToken", token));
    let options = StoreOptions::new().sync(backend).sync_payload(payload);
    let (first, at_the_end) = match is_there {
        true => (InitialSync::Blocking { timeout: FIRST_SYNC }, LAST_SYNC),
        false => (InitialSync::Skip, Duration::ZERO),
    };
    Ok(Sharing { options: options.initial_sync(first), at_the_end })
}

#[derive(Serialize)]
struct Joined {
    workspace: String,
    issues: u64,
}

/// Fetches a workspace and its issues.
pub(super) async fn join(registry: &StoreRegistry, name: &str, output: &mut Output) -> Result<(), Failure> {
    let workspace = Workspace::enter_or_begin(registry, name).await?;
    if workspace.store().sync_status().phase == SyncPhase::Off {
        return Err(Failure::NoServer);
    }
    let numbers = workspace.store().query(Headline::all().select(Headline::NUMBER))?;
    for numbers in numbers.chunks(TOGETHER) {
        // A load is over when what others have done is here.
        let loads: Vec<_> =
            numbers.iter().map(|number| tokio::spawn(helpers::issue(registry, name, *number))).collect();
        for load in loads {
            let loaded = load.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
            drop(loaded?);
        }
    }
    let joined = Joined { workspace: name.to_owned(), issues: numbers.len() as u64 };
    if output.is_json() {
        return Ok(output.json(&joined)?);
    }
    Ok(output.line(format!("{} issues of {name} are here", count(joined.issues)))?)
}

#[derive(Serialize)]
struct Standing {
    workspace: String,
    phase: String,
    confirmed: String,
    head: String,
    pending: u64,
    behind: u64,
    error: Option<String>,
}

/// How far each workspace is.
pub(super) async fn status(registry: &StoreRegistry, output: &mut Output) -> Result<(), Failure> {
    let mut all = Vec::new();
    for stored in registry.stored::<WorkspaceStore>().await? {
        let key = stored.key?;
        let store = registry.get::<WorkspaceStore>(&key).await?;
        let SyncStatus { phase, confirmed, head, pending, behind, last_error, .. } = settled(&store).await;
        all.push(Standing {
            workspace: key.name,
            phase: format!("{phase:?}").to_lowercase(),
            confirmed: confirmed.to_string(),
            head: head.to_string(),
            pending,
            behind,
            error: last_error.map(|error| error.to_string()),
        });
    }
    if output.is_json() {
        return Ok(output.json(&all)?);
    }
    let mut grid = Grid::new(&["workspace", "sync", ">confirmed", ">head", ">pending", ">behind", "last error"]);
    for standing in all {
        let Standing { workspace, phase, confirmed, head, pending, behind, error } = standing;
        grid.row([workspace, phase, confirmed, head, count(pending), count(behind), error.unwrap_or_default()]);
    }
    Ok(output.table(&grid)?)
}

/// The status when nothing is on its way any more, or that takes too long.
async fn settled(store: &StoreHandle<WorkspaceStore>) -> SyncStatus {
    let mut watch = store.watch_sync();
    let settling = async {
        loop {
            let status = store.sync_status();
            let is_settled = match status.phase {
                SyncPhase::Live => status.pending == 0 && status.behind == 0,
                SyncPhase::CatchingUp => false,
                _ => true,
            };
            if is_settled || watch.next().await.is_none() {
                return status;
            }
        }
    };
    tokio::time::timeout(FIRST_SYNC, settling).await.unwrap_or_else(|_| store.sync_status())
}
