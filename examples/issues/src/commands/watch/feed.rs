//! An import that runs beside the watching, on a thread of its own, through the same registry.

use std::path::{Path, PathBuf};

use larder::StoreRegistry;
use tokio::sync::mpsc;

use crate::{
    failure::Failure,
    import::{BadLine, Summary, Watch, import},
    input::Lines,
    output::{count, things},
};

/// What the import says.
enum Said {
    /// So much of the input, in percent, is behind it.
    Read(u64),
    Done(Result<Box<Summary>, Failure>),
}

/// A running import.
pub(super) struct Feed {
    said: mpsc::Receiver<Said>,
    percent: u64,
    summary: Option<Box<Summary>>,
}

impl Feed {
    /// Begins to import a file.
    pub(super) fn begin(registry: &StoreRegistry, path: PathBuf) -> Self {
        let (sender, said) = mpsc::channel(64);
        let (registry, runtime) = (registry.clone(), tokio::runtime::Handle::current());
        tokio::task::spawn_blocking(move || {
            let done = runtime.block_on(run(&registry, &path, sender.clone()));
            // Nobody hears it who has stopped watching.
            let _ = sender.blocking_send(Said::Done(done.map(Box::new)));
        });
        Self { said, percent: 0, summary: None }
    }

    /// Whether all is imported.
    pub(super) fn is_over(&self) -> bool {
        self.summary.is_some()
    }

    /// How far it is, in words.
    pub(super) fn note(&self) -> String {
        match &self.summary {
            None => format!("importing, {} %", self.percent),
            Some(summary) => {
                let bad = if summary.bad == 0 { String::new() } else { format!(", {} bad lines", count(summary.bad)) };
                format!("{} imported{bad}", things(summary.new, "activity"))
            }
        }
    }
}

/// Waits until the import says something; for ever when there is none.
pub(super) async fn step(feed: &mut Option<Feed>) -> Result<(), Failure> {
    let Some(feed) = feed.as_mut().filter(|feed| !feed.is_over()) else { return std::future::pending().await };
    match feed.said.recv().await {
        Some(Said::Read(percent)) => feed.percent = percent,
        Some(Said::Done(summary)) => feed.summary = Some(summary?),
        None => feed.summary = Some(Box::default()),
    }
    Ok(())
}

async fn run(registry: &StoreRegistry, path: &Path, sender: mpsc::Sender<Said>) -> Result<Summary, Failure> {
    let mut lines = Lines::open(path).map_err(|source| Failure::Input { name: path.display().to_string(), source })?;
    let mut watch = Progress { total_bytes: lines.total_bytes(), percent: 0, sender };
    import(registry, &mut lines, &mut watch).await
}

struct Progress {
    total_bytes: Option<u64>,
    percent: u64,
    sender: mpsc::Sender<Said>,
}

impl Watch for Progress {
    fn read(&mut self, read_bytes: u64) {
        let percent = self.total_bytes.map_or(0, |total| 100 * read_bytes / total.max(1));
        if percent > self.percent {
            self.percent = percent;
            // One that is not heard is followed by others.
            let _ = self.sender.try_send(Said::Read(percent));
        }
    }

    fn bad(&mut self, _: &BadLine) {}
}
