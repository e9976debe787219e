//! Shows that the tests find faults: builds larder once with all its seeded bugs, switches them on one at a time, and runs the tests
//! that must find each. Fails when a bug is not found, or when a test fails without one.
//!
//! `cargo run -p larder-tests --bin seeded-bugs`: all bugs; with names after it, these.

mod bugs;
mod build;
mod hooks;
mod run;

use std::{error::Error, process::ExitCode, time::Instant};

use self::{bugs::Bug, build::Binaries, run::Outcome};

fn main() -> ExitCode {
    if let Some(code) = build::as_compiler() {
        return code;
    }
    match seeded_bugs(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("seeded-bugs: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all bugs were found, and nothing else was.
fn seeded_bugs(names: &[String]) -> Result<bool, Box<dyn Error>> {
    let bugs = bugs::all();
    hooks::check(&bugs)?;
    if let Some(unknown) = names.iter().find(|name| bugs.iter().all(|bug| bug.name != name.as_str())) {
        return Err(format!("no bug is called `{unknown}`").into());
    }
    let chosen: Vec<&Bug> =
        bugs.iter().copied().filter(|bug| names.is_empty() || names.iter().any(|name| name == bug.name)).collect();
    let binaries = build::build()?;
    let started = Instant::now();
    let control = run::control(&binaries, &chosen)?;
    println!("without a bug: {} tests pass", control.passed);
    for test in &control.failed {
        println!("without a bug: {test} does not pass, or is not there");
    }
    let missed = show(&chosen, &find(&binaries, &chosen)?);
    let found = chosen.len() - missed;
    println!("{found} of {} bugs found, in {:.0} s without the build", chosen.len(), started.elapsed().as_secs_f64());
    Ok(missed == 0 && control.failed.is_empty())
}

/// What every test of every bug came to, in their order.
fn find(binaries: &Binaries, bugs: &[&Bug]) -> Result<Vec<Vec<Outcome>>, Box<dyn Error>> {
    let jobs: Vec<_> = bugs.iter().flat_map(|bug| bug.found_by.iter().map(|test| (bug.name, *test))).collect();
    let mut outcomes = run::all(binaries, &jobs)?.into_iter();
    Ok(bugs.iter().map(|bug| outcomes.by_ref().take(bug.found_by.len()).collect()).collect())
}

/// Prints the table; how many bugs were missed by a test that must find them.
fn show(bugs: &[&Bug], outcomes: &[Vec<Outcome>]) -> usize {
    let width = |text: fn(&Bug) -> &str| bugs.iter().map(|bug| text(bug).len()).max().unwrap_or(0);
    let (name_width, breaks_width) = (width(|bug| bug.name), width(|bug| bug.breaks));
    println!("\n{:<name_width$}  {:<breaks_width$}  found by", "bug", "what it breaks");
    let mut missed = 0;
    for (bug, outcomes) in bugs.iter().zip(outcomes) {
        missed += usize::from(!outcomes.iter().all(|outcome| outcome.finds()));
        let mut columns = (bug.name, bug.breaks);
        for (test, outcome) in bug.found_by.iter().zip(outcomes) {
            let (name, breaks) = std::mem::take(&mut columns);
            println!("{name:<name_width$}  {breaks:<breaks_width$}  {}{test}", outcome.remark());
        }
    }
    println!();
    missed
}
