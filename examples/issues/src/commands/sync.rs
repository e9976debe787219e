//! The sync server that `--sync` names: whether it is there and lets us in, and what it has not got when a command ends.

mod join;
mod rest;
mod status;

use std::{path::Path, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use larder::{
    BackendError, InitialSync, Payload, PullRequest, Receipt, ShutdownReport, StoreOptions, StoreShutdown, SyncBackend,
    SyncError, WsBackend, prelude::*,
};

use crate::{
    cli::Command,
    failure::Failure,
    output::things,
    stores::{WorkspaceId, WorkspaceStore},
};

pub(super) use self::{join::join, rest::Unsent, status::status};

/// How long a store waits for what others have done before it is shown as it is here.
const FIRST_SYNC: Duration = Duration::from_secs(5);

/// How long what was done may take to reach the server, and the server to answer at all.
const LAST_SYNC: Duration = Duration::from_secs(10);
const ANSWERS: Duration = Duration::from_secs(2);

/// What the environment variable says that the server is to know.
const TOKEN: &str = "ISSUES_TOKEN";

/// With whom the workspaces are shared, if they are.
pub(super) struct Sharing {
    /// The options of all stores.
    pub(super) options: StoreOptions,
    server: Option<Server>,
}

/// The server of a `--sync URL`.
struct Server {
    url: String,
    answer: Answer,
}

/// What the server said when the command began.
enum Answer {
    /// It lets us in, and has events of the workspace that the command is about, or not; `false` where it is about none.
    There { has_workspace: bool },
    /// It could not be asked, and why.
    Away(String),
    /// It does not let us, and why.
    Refused(String),
}

impl Sharing {
    /// With the server at a URL. Where it is not there now, or refuses, nothing waits for it: what is done is sent by a later command.
    pub(super) async fn with(url: Option<&str>, data: &Path, command: &Command) -> Result<Self, Failure> {
        let Some(url) = url else { return Ok(Self { options: StoreOptions::new(), server: None }) };
        let backend = WsBackend::new(url)?;
        let payload =
            std::env::var(TOKEN).map_or_else(|_| Payload::new(), |token| Payload::new().with("authToken", token));
        let workspace = match command.workspace() {
            Some(name) => Some(name),
            None => any_workspace(data).await?,
        };
        let asking = ask(&backend, &payload, workspace.as_deref());
        let answer = match tokio::time::timeout(ANSWERS, asking).await {
            Ok(answer) => answer?,
            Err(_) => Answer::Away(format!("it does not answer within {} s", ANSWERS.as_secs())),
        };
        let first = match answer {
            Answer::There { .. } => InitialSync::Blocking { timeout: FIRST_SYNC },
            _ => InitialSync::Skip,
        };
        let options = StoreOptions::new().sync(backend).sync_payload(payload).initial_sync(first);
        Ok(Self { options, server: Some(Server { url: url.to_owned(), answer }) })
    }

    /// Whether there is a server, and it lets us in.
    fn is_there(&self) -> bool {
        self.server.as_ref().is_some_and(|server| matches!(server.answer, Answer::There { .. }))
    }

    /// Whether somebody answers, be it that we are refused.
    fn answers(&self) -> bool {
        self.server.as_ref().is_some_and(|server| !matches!(server.answer, Answer::Away(_)))
    }

    /// How long what was done may take to reach the server, before the program ends.
    pub(super) fn at_the_end(&self) -> Duration {
        if self.is_there() { LAST_SYNC } else { Duration::ZERO }
    }

    /// Says that the command has to do without the server, if it has to.
    pub(super) fn warn(&self) {
        let Some(Server { url, answer }) = &self.server else { return };
        match answer {
            Answer::There { .. } => {}
            Answer::Away(why) => eprintln!(
                "issues: the sync server at `{url}` cannot be reached: {why}; this is what is here, and what you do is sent later"
            ),
            Answer::Refused(why) => eprintln!(
                "issues: the sync server at `{url}` refuses access: {why}; set {TOKEN} to a token that it takes; this is what is \
                 here, and what you do is sent then"
            ),
        }
    }

    /// Waits until the server has confirmed a commit; whether what others did first has pushed it out. Where the server is not there, that
    /// shows later: `sync-status` says it.
    pub(super) async fn is_pushed_out(&self, receipt: &Receipt) -> bool {
        if !self.is_there() {
            return false;
        }
        let confirmed = tokio::time::timeout(LAST_SYNC, receipt.confirmed()).await;
        matches!(confirmed, Ok(Err(SyncError::Quarantined { .. })))
    }

    /// Says what the server has not got: of stores that were closed before, and of those that were closed now.
    pub(super) fn report_unsent(&self, mut unsent: Unsent, shutdown: &ShutdownReport) {
        for StoreShutdown { name, unsent: left, .. } in &shutdown.stores {
            unsent.extend(left.map(|left| ((name.definition(), name.id().clone()), left)));
        }
        let unsent: u64 = unsent.into_values().sum();
        if self.server.is_none() || unsent == 0 {
            return;
        }
        let are = if unsent == 1 { "is" } else { "are" };
        eprintln!(
            "issues: {} {are} not sent yet, and safe here; a later command with `--sync` sends what is left",
            things(unsent, "event")
        );
    }
}

/// A workspace that is here: by it the server is asked whether it lets us in, where a command is about none.
async fn any_workspace(data: &Path) -> Result<Option<String>, Failure> {
    let registry = StoreRegistry::builder().data_dir(data).build()?;
    let mut stored = registry.stored::<WorkspaceStore>().await?;
    Ok(stored.pop().map(|stored| stored.key).transpose()?.map(|key| key.name))
}

/// Asks the server for the beginning of a workspace, as whoever will sync it does, or whether it is there at all.
async fn ask(backend: &Arc<WsBackend>, payload: &Payload, workspace: Option<&str>) -> Result<Answer, Failure> {
    let answer = match workspace {
        None => backend.connect().await.map(|()| false),
        Some(name) => {
            let id = WorkspaceId { name: name.to_owned() }.store_id()?;
            let mut pages = backend.pull(PullRequest::new(id.as_str(), payload));
            let page = pages.next().await.unwrap_or_else(|| Err(BackendError::Other("it answers with nothing".into())));
            page.map(|page| !page.events.is_empty())
        }
    };
    Ok(match answer {
        Ok(has_workspace) => Answer::There { has_workspace },
        Err(BackendError::Unauthorized { reason }) => Answer::Refused(reason),
        Err(BackendError::Offline { reason }) => Answer::Away(reason),
        Err(other) => Answer::Away(other.to_string()),
    })
}

/// Why sync does not go on, in the words of this program.
fn in_words(error: &SyncError) -> String {
    match error {
        SyncError::Offline { reason, .. } => format!("the sync server cannot be reached: {reason}"),
        SyncError::Unauthorized { reason, .. } => {
            format!("the sync server refuses access: {reason}; set {TOKEN} to a token that it takes")
        }
        SyncError::BackendIdMismatch { .. } | SyncError::BackendRolledBack { .. } => {
            "the sync server has another log than before, so nothing is exchanged and nothing here is lost; have the old log \
             brought back, or begin anew with another `--data` and `issues join`"
                .to_owned()
        }
        other => other.to_string(),
    }
}
