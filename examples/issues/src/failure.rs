//! Why a command ends without its result.

use std::io;

use larder::{AcrossError, BackendUrlError, LoadError, QueryError};

/// Why a command ends without its result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The reader of the output has gone (as with `issues list | head`): no failure to speak of.
    #[error("the output was closed")]
    BrokenPipe,
    /// Writing the output failed.
    #[error("the output cannot be written: {0}")]
    Output(io::Error),
    /// The input cannot be read.
    #[error("{name} cannot be read: {source}")]
    Input {
        /// What the input is called.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// The sync server cannot be at this URL.
    #[error("--sync: {}", url_in_words(.0))]
    Url(#[from] BackendUrlError),
    /// A command that shares something has nobody to share it with.
    #[error("say which sync server: `--sync wss://sync.example.com`")]
    NoServer,
    /// A workspace is to be fetched, and nobody answers.
    #[error(
        "`{workspace}` cannot be fetched: the sync server at `{url}` cannot be reached: {why}; see that it runs and the URL is right, and join again"
    )]
    Unreachable {
        /// The workspace.
        workspace: String,
        /// Where the server was looked for.
        url: String,
        /// Why it is not reached.
        why: String,
    },
    /// A workspace is to be fetched, and the server does not let us.
    #[error(
        "`{workspace}` cannot be fetched: the sync server at `{url}` refuses access: {why}; set ISSUES_TOKEN to a token that it takes, and join again"
    )]
    Refused {
        /// The workspace.
        workspace: String,
        /// The server.
        url: String,
        /// What it says.
        why: String,
    },
    /// A workspace is to be fetched that is neither here nor there.
    #[error(
        "the sync server at `{url}` has no workspace `{workspace}`; look at its name, or let whoever has it run a command with `--sync` first"
    )]
    NotShared {
        /// The workspace.
        workspace: String,
        /// The server.
        url: String,
    },
    /// A workspace did not come, or not all of it.
    #[error(
        "`{workspace}` is not all here: {reason}; what came stays, and another `issues join {workspace}` goes on with the rest"
    )]
    NotFetched {
        /// The workspace.
        workspace: String,
        /// Why not.
        reason: String,
    },
    /// The data dir, or a store in it, cannot be opened.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A stored id is not one of this program's.
    #[error(transparent)]
    Id(#[from] larder::StoreIdError),
    /// A store cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Many stores cannot be read at once.
    #[error(transparent)]
    Across(#[from] AcrossError),
    /// A store refused an event.
    #[error("{0}")]
    Commit(String),
    /// The terminal cannot be drawn on.
    #[error("the terminal cannot be drawn on: {0}; pipe the output somewhere to have lines instead")]
    Terminal(io::Error),
    /// There is no such workspace.
    #[error("there is no workspace `{name}`; `issues workspaces` lists them, `issues open {name} TITLE` begins one")]
    NoWorkspace {
        /// The name asked for.
        name: String,
    },
    /// There is no such issue.
    #[error("workspace `{workspace}` has no issue {number}; `issues list {workspace} --limit 0` lists them")]
    NoIssue {
        /// The workspace.
        workspace: String,
        /// The number asked for.
        number: i64,
    },
    /// Neither `WORKSPACE NUMBER` nor `WORKSPACE#NUMBER`.
    #[error("`{text}` does not say which issue; write `WORKSPACE NUMBER` or `WORKSPACE#NUMBER`")]
    Route {
        /// What was written.
        text: String,
    },
}

impl Failure {
    /// The store said no to a commit.
    pub fn commit<E>(error: &larder::CommitError<E>) -> Self {
        Self::Commit(error.to_string())
    }

    /// The exit code: 0 where nothing went wrong for the user.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::BrokenPipe => 0,
            _ => 1,
        }
    }
}

/// What is wrong with a URL, for somebody who gives it on a command line.
fn url_in_words(error: &BackendUrlError) -> String {
    match error {
        BackendUrlError::Secrets { host } => format!(
            "the URL of {host} has a user or a query in it, and URLs end in logs; leave that out, and put a token into ISSUES_TOKEN"
        ),
        BackendUrlError::PlainText { address } => {
            format!("`{address}` is reached in plain text, which anybody on the way can read; use `wss://`")
        }
        other => other.to_string(),
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::Output(error),
        }
    }
}

/// Whether a commit was refused because the store has this activity already: the key of `table` said so.
pub fn is_repeated<E>(error: &larder::CommitError<E>, table: &str) -> bool {
    error.existing_row().is_some_and(|row| row.table == table)
}
