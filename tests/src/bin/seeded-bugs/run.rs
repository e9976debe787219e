//! Runs tests, each in a process of its own, and ends those that hang.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    io::{Read, Seek},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{bugs::Bug, build::Binaries};

/// A test that runs longer hangs: without a bug each takes a few seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// For all tests together, without a bug.
const CONTROL_LIMIT: Duration = Duration::from_secs(240);

/// What a test came to with a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    Hung,
    Missing,
}

impl Outcome {
    pub(crate) fn finds(self) -> bool {
        matches!(self, Self::Failed | Self::Hung)
    }

    pub(crate) fn remark(self) -> &'static str {
        match self {
            Self::Failed => "",
            Self::Hung => "(time limit) ",
            Self::Passed => "NOT FOUND by ",
            Self::Missing => "NO SUCH TEST: ",
        }
    }
}

/// What became of the tests when there is no bug.
pub(crate) struct Control {
    pub(crate) passed: usize,
    pub(crate) failed: Vec<String>,
}

/// Runs all tests of these bugs without a bug.
pub(crate) fn control(binaries: &Binaries, bugs: &[&Bug]) -> Result<Control, Box<dyn Error>> {
    let mut tests: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for test in bugs.iter().flat_map(|bug| bug.found_by) {
        let (binary, name) = split(test)?;
        tests.entry(binary).or_default().insert(name);
    }
    let mut control = Control { passed: 0, failed: Vec::new() };
    for (binary, names) in tests {
        let mut command = command(binaries, binary, None)?;
        command.args(&names);
        let (_, output) = finish(&mut command, CONTROL_LIMIT)?;
        let (passed, failed): (Vec<&str>, _) =
            names.iter().partition(|name| output.contains(&format!("test {name} ... ok")));
        control.passed += passed.len();
        control.failed.extend(failed.iter().map(|name| format!("{binary}::{name}")));
        if !failed.is_empty() {
            println!("{output}");
        }
    }
    Ok(control)
}

/// Runs every test with its bug, one more at a time than there are cores: those that hang wait for their end and need none.
pub(crate) fn all(binaries: &Binaries, jobs: &[(&str, &str)]) -> Result<Vec<Outcome>, Box<dyn Error>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, Outcome)>, String> {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((bug, test)) = jobs.get(at) else { return Ok(done) };
            done.push((at, one(binaries, bug, test).map_err(|error| format!("{test}: {error}"))?));
        }
    };
    let workers = 1 + thread::available_parallelism().map_or(1, usize::from);
    let mut done = Vec::new();
    thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            done.extend(worker.join().map_err(|_| "a worker panicked")??);
        }
        Ok(())
    })?;
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, outcome)| outcome).collect())
}

fn one(binaries: &Binaries, bug: &str, test: &str) -> Result<Outcome, Box<dyn Error>> {
    let (binary, name) = split(test)?;
    let (ended, output) = finish(command(binaries, binary, Some(bug))?.arg(name), LIMIT)?;
    Ok(match ended {
        None => Outcome::Hung,
        Some(true) if output.contains("running 1 test") => Outcome::Passed,
        Some(true) => Outcome::Missing,
        Some(false) => Outcome::Failed,
    })
}

/// `it::group::name` is the test `group::name` of the program `it`.
fn split(test: &str) -> Result<(&str, &str), Box<dyn Error>> {
    test.split_once("::").ok_or_else(|| format!("`{test}` names no program").into())
}

fn command(binaries: &Binaries, binary: &str, bug: Option<&str>) -> Result<Command, Box<dyn Error>> {
    let path = binaries.get(binary).ok_or_else(|| format!("no program of tests is called `{binary}`"))?;
    let mut command = Command::new(path);
    // A whole run of the simulation takes longer than a test may.
    command.arg("--exact").env_remove("LARDER_SEEDED_BUG").env("LARDER_SIMULATIONS", "500");
    bug.map(|bug| command.env("LARDER_SEEDED_BUG", bug));
    Ok(command)
}

/// Whether it succeeded, `None` if it ran into the limit; and what it printed.
fn finish(command: &mut Command, limit: Duration) -> Result<(Option<bool>, String), Box<dyn Error>> {
    let mut printed = tempfile::tempfile()?;
    // A group of its own, so that what the test has started ends with it.
    command.process_group(0).stdin(Stdio::null()).stdout(printed.try_clone()?).stderr(printed.try_clone()?);
    let mut child = command.spawn()?;
    let started = Instant::now();
    let ended = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status.success());
        }
        if started.elapsed() > limit {
            break None;
        }
        thread::sleep(Duration::from_millis(10));
    };
    // Also after its end: what it has started may be left.
    let group = format!("-{}", child.id());
    Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status()?;
    child.wait()?;
    printed.rewind()?;
    let mut output = Vec::new();
    printed.read_to_end(&mut output)?;
    Ok((ended, String::from_utf8_lossy(&output).into_owned()))
}
