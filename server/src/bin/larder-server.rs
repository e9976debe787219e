//! The sync server: `larder-server --data DIR --listen ADDR`.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, Parser, Subcommand};
use larder_server::{Authorize, Config, OpenToAll, Rules, Server, SqliteStorage, backup, restore};
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// The sync server of larder: one agreed order per store, for larder and LiveStore clients.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Copies the log into a new file, while the server runs or not.
    Backup {
        /// The directory of the log.
        #[arg(long, env = "LARDER_DATA")]
        data: PathBuf,
        /// The new file.
        #[arg(long)]
        to: PathBuf,
    },
    /// Gives the log a new identity, and replaces it by a backup first if one is named. The server must not run.
    Restore {
        /// The directory of the log.
        #[arg(long, env = "LARDER_DATA")]
        data: PathBuf,
        /// The backup.
        #[arg(long)]
        from: Option<PathBuf>,
    },
}

#[derive(Args)]
struct Serve {
    /// A TOML file; flags and environment come before it.
    #[arg(long, env = "LARDER_CONFIG")]
    config: Option<PathBuf>,
    /// The directory of the log.
    #[arg(long, env = "LARDER_DATA")]
    data: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:7717].
    #[arg(long, env = "LARDER_LISTEN")]
    listen: Option<String>,
    /// How much is logged: error, warn, info, debug or trace [default: info].
    #[arg(long, env = "LARDER_LOG")]
    log: Option<String>,
    /// Everybody may read and write every store.
    #[arg(long, env = "LARDER_OPEN")]
    open: bool,
}

type Failed = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ran = match arguments.command {
        Some(Command::Backup { data, to }) => back_up(&data, &to),
        Some(Command::Restore { data, from }) => put_back(&data, from.as_deref()),
        None => serve(&arguments.serve),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("larder-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn back_up(data: &std::path::Path, to: &std::path::Path) -> Result<(), Failed> {
    backup(data, to)?;
    println!("copied to {}", to.display());
    Ok(())
}

fn put_back(data: &std::path::Path, from: Option<&std::path::Path>) -> Result<(), Failed> {
    let restored = restore(data, from)?;
    println!("{} stores, {} events, new identity {}", restored.stores, restored.events, restored.identity);
    if let Some(replaced) = restored.replaced {
        println!("the log that was there before is {}", replaced.display());
    }
    Ok(())
}

fn serve(arguments: &Serve) -> Result<(), Failed> {
    let config = arguments.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
    log(arguments.log.as_deref().or(config.log.as_deref()).unwrap_or("info"))?;
    let data = arguments.data.clone().or_else(|| config.data.clone());
    let data = data.ok_or("no directory for the log; give `--data DIR`")?;
    let listen = arguments.listen.clone().or_else(|| config.listen.clone());
    let listen = listen.unwrap_or_else(|| "127.0.0.1:7717".to_owned());
    let settings = config.settings()?;
    let rules = config.rules()?.map(Arc::new);
    let authorize: Arc<dyn Authorize> = match &rules {
        Some(rules) => rules.clone(),
        None => open_to_all(arguments.open || config.open, &listen)?,
    };
    // The rules have hashes of its tokens.
    drop(config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let storage = Arc::new(SqliteStorage::open(&data)?);
        let server = Server::start(settings, storage, authorize, &listen).await?;
        // Whoever started this waits for the line, and reads the port from it; from then on it may be told to stop.
        let ready = || println!("listening on {}", server.address());
        until_told_to_stop(rules, arguments.config.as_deref(), ready).await?;
        server.stop().await;
        Ok(())
    })
}

/// Everybody may do everything, if that is wanted, or if nobody else can get here.
fn open_to_all(wanted: bool, listen: &str) -> Result<Arc<dyn Authorize>, Failed> {
    let at_home = listen.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback());
    if !wanted && !at_home {
        return Err(
            format!("no access rules, and {listen} is open to others; write `[auth]` rules, or say `--open`").into()
        );
    }
    tracing::warn!("there are no access rules: everybody who gets here may read and write every store");
    Ok(Arc::new(OpenToAll))
}

/// Our own events at a level. What libraries say below a warning is left out: it holds what clients send.
fn log(level: &str) -> Result<(), Failed> {
    let level: LevelFilter =
        level.parse().map_err(|_| "the log level is none of error, warn, info, debug and trace")?;
    let ours = Targets::new().with_target("larder_server", level).with_target("larder_wire", level);
    let filter = ours.with_default(level.min(LevelFilter::WARN));
    let out = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(out.with_filter(filter)).init();
    Ok(())
}

#[cfg(unix)]
async fn until_told_to_stop(
    rules: Option<Arc<Rules>>,
    config: Option<&std::path::Path>,
    ready: impl FnOnce(),
) -> Result<(), Failed> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    ready();
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => match reload(rules.as_deref(), config) {
                Ok(()) => tracing::info!("the access rules are those of the file again"),
                Err(error) => tracing::error!(%error, "the access rules stay what they were"),
            },
        }
    }
}

#[cfg(not(unix))]
async fn until_told_to_stop(
    _rules: Option<Arc<Rules>>,
    _config: Option<&std::path::Path>,
    ready: impl FnOnce(),
) -> Result<(), Failed> {
    ready();
    Ok(tokio::signal::ctrl_c().await?)
}

#[cfg(unix)]
fn reload(rules: Option<&Rules>, config: Option<&std::path::Path>) -> Result<(), Failed> {
    let (Some(rules), Some(path)) = (rules, config) else {
        return Err("the server was started without rules".into());
    };
    let config = Config::read(path)?;
    let auth = config.auth.ok_or("the file has no `[auth]`; stop the server to open it to all")?;
    Ok(rules.replace(&auth)?)
}
