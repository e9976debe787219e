//! `issues import`: progress on a terminal, bad lines as they come, and one line at the end.

use std::{
    io::{self, IsTerminal},
    path::Path,
};

use indicatif::{ProgressBar, ProgressStyle};
use larder::StoreRegistry;

use crate::{
    failure::Failure,
    import::{BadLine, Summary, Watch, import},
    input::Lines,
    output::{Output, count, things},
};

/// Imports a file, or the shipped data.
pub(super) async fn run(registry: &StoreRegistry, input: Option<&Path>, output: &mut Output) -> Result<(), Failure> {
    let mut lines = match input {
        Some(path) => {
            Lines::open(path).map_err(|source| Failure::Input { name: path.display().to_string(), source })?
        }
        None => Lines::shipped(),
    };
    let mut progress = Progress { bar: bar(lines.total_bytes()), name: lines.name().to_owned() };
    let summary = import(registry, &mut lines, &mut progress).await;
    progress.bar.finish_and_clear();
    let summary = summary?;
    if output.is_json() {
        return Ok(output.json(&summary)?);
    }
    Ok(output.line(sentence(&summary))?)
}

struct Progress {
    bar: ProgressBar,
    name: String,
}

impl Watch for Progress {
    fn read(&mut self, read_bytes: u64) {
        self.bar.set_position(read_bytes);
    }

    fn bad(&mut self, bad: &BadLine) {
        let text = format!("{}:{}: {}; skipped", self.name, bad.line, bad.reason);
        self.bar.suspend(|| eprintln!("{text}"));
    }
}

/// Only on a terminal: elsewhere a bar is noise.
fn bar(total_bytes: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match total_bytes {
        Some(total) => (ProgressBar::new(total), "{wide_bar} {percent:>3}% of {decimal_total_bytes}, {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {decimal_bytes} read, {elapsed}"),
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[expect(clippy::cast_precision_loss, reason = "a rate in a sentence")]
fn sentence(summary: &Summary) -> String {
    let Summary { new, known, bad, workspaces, issues, seconds, .. } = summary;
    let mut text = match (new, known) {
        (0, 0) => "nothing to import".to_owned(),
        (0, _) => format!("nothing new: {} were here already, {seconds:.2} s", things(*known, "activity")),
        _ => {
            let rate = count((*new as f64 / seconds.max(0.001)) as u64);
            let (issues, workspaces) = (things(*issues, "issue"), things(*workspaces, "workspace"));
            let activities = things(*new, "activity");
            format!("{activities} imported on {issues} of {workspaces}, {seconds:.2} s, {rate} a second")
        }
    };
    if *new > 0 && *known > 0 {
        text.push_str(&format!("; {} were here already", count(*known)));
    }
    if *bad > 0 {
        text.push_str(&format!("; {} skipped", things(*bad, "bad line")));
    }
    text
}
