//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{helpers::Route, input::first_workspace, stores::State};

/// An issue tracker of many workspaces, each issue in a store of its own.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// Where the stores live
    #[arg(long, global = true, value_name = "DIR", default_value = "larder-data")]
    pub data: PathBuf,
    /// Share the workspaces through the sync server at this URL, such as `wss://sync.example.com`
    ///
    /// What the server is to know of you stands in the environment variable ISSUES_TOKEN.
    #[arg(long, global = true, value_name = "URL")]
    pub sync: Option<String>,
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Import activities; run again after an interruption, it goes on where it was
    Import {
        /// Lines of JSON, `-` for standard input; left out: two whole projects that come with the program
        #[arg(long, value_name = "FILE")]
        input: Option<PathBuf>,
    },
    /// List the workspaces
    Workspaces,
    /// List issues, the latest activity first
    List {
        /// Such as `salsa-rs/salsa`; left out: all
        workspace: Option<String>,
        /// Only issues in this state
        #[arg(long)]
        state: Option<State>,
        /// How many at most, 0 for all
        #[arg(long, default_value_t = 20)]
        limit: u64,
    },
    /// Search the titles of all workspaces' issues, the latest activity first
    Search {
        /// Part of a title; `%` is any text, `_` any one character
        text: String,
        /// How many at most, 0 for all
        #[arg(long, default_value_t = 20)]
        limit: u64,
    },
    /// Watch a workspace: its open issues and its workload, as they change; `q` ends it
    ///
    /// Where the output is no terminal, each change is a line.
    Watch {
        /// Such as `salsa-rs/salsa`
        workspace: String,
        /// Meanwhile import activities from this file
        #[arg(long, value_name = "FILE")]
        import: Option<PathBuf>,
    },
    /// Show an issue with all that was said: `show salsa-rs/salsa 12` or `show salsa-rs/salsa#12`
    Show {
        /// The workspace, or workspace and number as `WORKSPACE#NUMBER`
        workspace: String,
        /// The number
        number: Option<i64>,
    },
    /// Open an issue; a workspace that does not exist begins with it
    Open {
        /// Such as `salsa-rs/salsa`
        workspace: String,
        /// What it is about
        title: String,
        /// Who opens it
        #[arg(long, value_name = "NAME")]
        author: Option<String>,
    },
    /// Comment on an issue
    Comment {
        /// Such as `salsa-rs/salsa`
        workspace: String,
        /// The number
        number: i64,
        /// What to say
        text: String,
        /// Who says it
        #[arg(long, value_name = "NAME")]
        author: Option<String>,
    },
    /// Close an issue
    Close {
        /// Such as `salsa-rs/salsa`
        workspace: String,
        /// The number
        number: i64,
        /// Who closes it
        #[arg(long, value_name = "NAME")]
        author: Option<String>,
    },
    /// Show or set the name that you comment under
    Author {
        /// The new name
        name: Option<String>,
    },
    /// Fetch a workspace that others have shared, with all its issues
    Join {
        /// Such as `salsa-rs/salsa`
        workspace: String,
    },
    /// Print of each workspace how far it and the sync server are
    SyncStatus,
    /// Open every store once and print what the registry did
    Stats,
}

impl Command {
    /// The workspace that it is about, if it is about one; of an import the first one.
    pub fn workspace(&self) -> Option<String> {
        match self {
            Self::Import { input } => first_workspace(input.as_deref()),
            Self::List { workspace, .. } => workspace.clone(),
            Self::Watch { workspace, .. }
            | Self::Open { workspace, .. }
            | Self::Comment { workspace, .. }
            | Self::Close { workspace, .. }
            | Self::Join { workspace } => Some(workspace.clone()),
            Self::Show { workspace, number: Some(_) } => Some(workspace.clone()),
            Self::Show { workspace: route, number: None } => {
                route.parse().ok().map(|Route { workspace, .. }| workspace)
            }
            Self::Workspaces | Self::Search { .. } | Self::Author { .. } | Self::SyncStatus | Self::Stats => None,
        }
    }
}
