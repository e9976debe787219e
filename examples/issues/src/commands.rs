//! The commands: each asks stores and prints.

mod edit;
mod import;
mod list;
mod search;
mod show;
mod stats;
mod sync;
mod watch;

use std::time::{Duration, Instant};

use larder::{ShutdownReport, StoreEnd, prelude::*};

use self::sync::Sharing;
use crate::{
    cli::{Cli, Command},
    failure::Failure,
    output::Output,
};

/// Stores loaded at once, at most: the real data has thousands, and each open one costs memory and open files.
pub const CAPACITY: usize = 128;

/// Opens the registry, runs the command, and closes all stores.
///
/// # Errors
/// What keeps the command from its result.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let sharing = Sharing::with(cli.sync.as_deref(), &cli.data, &cli.command).await?;
    if !matches!(cli.command, Command::Join { .. } | Command::SyncStatus) {
        sharing.warn();
    }
    let builder = StoreRegistry::builder().data_dir(&cli.data).capacity(CAPACITY);
    let registry = builder.defaults(sharing.options.clone()).build()?;
    let mut output = Output::stdout(cli.json);
    // It waits for what is left before it says how it stands.
    let has_sent = matches!(cli.command, Command::SyncStatus);
    let result = run_command(&registry, cli.command, &sharing, &mut output).await;
    let (ends, patience) = (Instant::now(), if result.is_ok() { sharing.at_the_end() } else { Duration::ZERO });
    let unsent = sharing.send_rest(&registry, if has_sent { Duration::ZERO } else { patience }).await;
    let shutdown = registry.shutdown(sharing.at_the_end().saturating_sub(ends.elapsed())).await;
    report(&shutdown);
    result?;
    output.flush()?;
    sharing.report_unsent(unsent?, &shutdown);
    Ok(())
}

/// Says which stores could not be closed cleanly. The command's result stands: nothing that was committed is lost.
fn report(shutdown: &ShutdownReport) {
    for store in &shutdown.stores {
        match &store.ended {
            StoreEnd::Failed(error) => eprintln!("issues: {} was not closed cleanly: {error}", store.name),
            StoreEnd::Unfinished => eprintln!("issues: {} was not closed in time", store.name),
            _ => {}
        }
    }
}

async fn run_command(
    registry: &StoreRegistry,
    command: Command,
    sharing: &Sharing,
    output: &mut Output,
) -> Result<(), Failure> {
    match command {
        Command::Import { input } => import::run(registry, input.as_deref(), output).await,
        Command::Workspaces => list::workspaces(registry, output).await,
        Command::List { workspace, state, limit } => {
            list::issues(registry, workspace.as_deref(), state, limit, output).await
        }
        Command::Search { text, limit } => search::run(registry, &text, limit, output).await,
        Command::Watch { workspace, import } => watch::run(registry, &workspace, import, output).await,
        Command::Show { workspace, number } => show::run(registry, &workspace, number, output).await,
        Command::Open { workspace, title, author } => {
            edit::open(registry, &workspace, title, author, sharing, output).await
        }
        Command::Comment { workspace, number, text, author } => {
            edit::comment(registry, &workspace, number, text, author, output).await
        }
        Command::Close { workspace, number, author } => edit::close(registry, &workspace, number, author, output).await,
        Command::Author { name } => edit::author(registry, name, output).await,
        Command::Join { workspace } => sync::join(registry, &workspace, sharing, output).await,
        Command::SyncStatus => sync::status(registry, sharing, output).await,
        Command::Stats => stats::run(registry, output).await,
    }
}
