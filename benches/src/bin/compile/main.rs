//! What larder's macros cost an app's build: the time of `cargo check`, and the size of what they make.
//!
//! `cargo run --release -p larder-benches --bin compile`
//!
//! It writes an app with three stores and sixty events into a folder of its own, once with larder's macros and once as the same types and
//! functions without them, and checks both: from nothing, and again after one edit, in turns. Then it compiles the `issues` example
//! to LLVM's language and counts the lines of what its stores made. It prints one table: work, figure, bar, met or not; and fails when a
//! bar is not met.

mod app;
mod check;
mod ir;
mod wrapper;

use std::{error::Error, process::ExitCode};

use clap::Parser;

/// What a step may answer.
type Outcome<R> = Result<R, Box<dyn Error>>;

/// Seconds that the macros may add to `cargo check` after one edit.
const MOST_ADDED: f64 = 0.3;

/// Lines of LLVM's language that the stores of the example may make, optimised. A number may fall; where it must rise, look first
/// which functions are made anew for each store and could be one for all.
const MOST_IR_LINES: usize = 31_000;

#[derive(Parser)]
struct Options {
    /// Edits of each app; their median counts
    #[arg(long, default_value_t = 9)]
    edits: usize,
    /// Leave the check from nothing out, which compiles SQLite
    #[arg(long)]
    without_cold: bool,
}

/// One line of the table.
struct Row {
    work: String,
    figure: String,
    bar: String,
    met: Option<bool>,
}

impl Row {
    fn new(work: impl Into<String>, figure: String) -> Self {
        Self { work: work.into(), figure, bar: "-".to_owned(), met: None }
    }

    fn bar(self, bar: String, met: bool) -> Self {
        Self { bar, met: Some(met), ..self }
    }
}

fn main() -> Outcome<ExitCode> {
    if let Some(code) = wrapper::as_compiler() {
        return Ok(code);
    }
    let options = Options::parse();
    let mut rows = check::rows(options.edits.max(1), !options.without_cold)?;
    rows.extend(ir::rows()?);
    println!("{:<72}{:>14}{:>14}  met", "work", "figure", "bar");
    for Row { work, figure, bar, met } in &rows {
        println!("{work:<72}{figure:>14}{bar:>14}  {}", met.map_or("", |met| if met { "yes" } else { "NO" }));
    }
    let missed = rows.iter().any(|row| row.met == Some(false));
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
