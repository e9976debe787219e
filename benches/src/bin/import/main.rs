//! The import of `examples/issues` beside the same work written by hand on `rusqlite`: time, memory, and what a second run costs.
//!
//! `cargo run --release -p larder-benches --bin import -- --input FILE --data DIR`
//!
//! Each side runs in a process of its own with at most 1,024 open files, from an empty folder to all files closed. Then both folders are
//! compared, store by store: the same tables with the same rows. It fails when larder takes more than twice as long, more than 250 MiB, more
//! than 10 s to find nothing new, or imports something else.

mod compare;
mod file;
mod hand;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use issues::{
    commands::CAPACITY,
    import::{BadLine, Watch},
    input::Lines,
};
use larder::StoreRegistry;
use serde::{Deserialize, Serialize};

/// Most that larder may take of the hand-written import's time.
const MOST_RATIO: f64 = 2.0;

/// Most memory that larder may take, in KiB.
const MOST_PEAK_KIB: u64 = 250 * 1024;

/// Most seconds that a second run may take.
const MOST_SECONDS_AGAIN: f64 = 10.0;

/// What every child may have open.
const OPEN_FILES: u32 = 1_024;

/// Imports a file twice: with larder, and by hand.
#[derive(Parser)]
struct Options {
    /// Lines of JSON, as `issues import` reads them
    #[arg(long)]
    input: PathBuf,
    /// A folder for both sides' stores; what is in its `larder` and `hand` is deleted first
    #[arg(long)]
    data: PathBuf,
    /// How often each side runs, in turn; the fastest run of each counts
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// One line of JSON instead of the table
    #[arg(long)]
    json: bool,
    /// Set for the children
    #[arg(long, hide = true)]
    side: Option<Side>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq)]
enum Side {
    Larder,
    Hand,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Larder => "larder",
            Self::Hand => "hand",
        }
    }
}

/// What one run of one side was.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
struct Run {
    /// From the first line read to the last file closed.
    seconds: f64,
    /// Processor time of the process, of all its threads: what is left when the disk's share is taken away.
    cpu_seconds: f64,
    /// Peak resident memory of the process.
    peak_kib: u64,
    /// Activities that were committed, each to two stores.
    activities: u64,
    /// How often a store was opened, and closed again.
    opened: u64,
}

#[derive(Serialize)]
struct Outcome {
    larder: Run,
    hand: Run,
    /// larder's time over the hand-written one's.
    ratio: f64,
    /// larder again over the same folder: nothing is new.
    second: Run,
    /// Stores whose tables and rows were found the same on both sides.
    same_stores: u64,
}

impl Outcome {
    /// What is not as it must be.
    fn missed(&self) -> Vec<String> {
        let Self { larder, hand, ratio, second, .. } = self;
        // Of a build without optimisation no time is judged.
        let is_judged = !cfg!(debug_assertions);
        let peak_kib = larder.peak_kib.max(second.peak_kib);
        let missed = [
            (is_judged && *ratio > MOST_RATIO, format!("larder took {ratio:.2} times as long, at most {MOST_RATIO}")),
            (peak_kib > MOST_PEAK_KIB, format!("larder took {peak_kib} KiB of memory, at most {MOST_PEAK_KIB}")),
            (
                is_judged && second.seconds > MOST_SECONDS_AGAIN,
                format!("the second run took {:.1} s, at most {MOST_SECONDS_AGAIN}", second.seconds),
            ),
            (
                larder.activities != hand.activities,
                format!("larder imported {} activities, the other side {}", larder.activities, hand.activities),
            ),
            (second.activities != 0, format!("the second run found {} new activities", second.activities)),
        ];
        missed.into_iter().filter(|(missed, _)| *missed).map(|(_, why)| why).collect()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    match options.side {
        Some(side) => child(side, &options),
        None => parent(&options),
    }
}

fn child(side: Side, options: &Options) -> Result<(), Box<dyn Error>> {
    let folder = options.data.join(side.name());
    let mut lines = Lines::open(&options.input)?;
    let start = Instant::now();
    let (activities, opened) = match side {
        Side::Larder => larder(&folder, &mut lines)?,
        Side::Hand => hand::import(&folder, &mut lines, CAPACITY)?,
    };
    let seconds = start.elapsed().as_secs_f64();
    let run = Run { seconds, cpu_seconds: cpu_seconds()?, peak_kib: peak_kib()?, activities, opened };
    println!("{}", serde_json::to_string(&run)?);
    Ok(())
}

struct Quiet;

impl Watch for Quiet {
    fn read(&mut self, _read_bytes: u64) {}
    fn bad(&mut self, _bad: &BadLine) {}
}

fn larder(folder: &Path, lines: &mut Lines) -> Result<(u64, u64), Box<dyn Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let registry = StoreRegistry::builder().data_dir(folder).capacity(CAPACITY).build()?;
        let summary = issues::import::import(&registry, lines, &mut Quiet).await?;
        let loads = registry.stats().loads;
        registry.shutdown(Duration::from_secs(60)).await;
        Ok((summary.new, loads))
    })
}

fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // After the name in parentheses, user and system time are fields 12 and 13, in hundredths of a second.
    let fields = stat.rsplit_once(") ").ok_or("no name")?.1;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(f64::from(ticks) / 100.0)
}

fn peak_kib() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn parent(options: &Options) -> Result<(), Box<dyn Error>> {
    let (mut larder, mut hand) = (Vec::new(), Vec::new());
    for _ in 0..options.runs.max(1) {
        for (side, runs) in [(Side::Hand, &mut hand), (Side::Larder, &mut larder)] {
            let folder = options.data.join(side.name());
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::create_dir_all(&folder)?;
            runs.push(spawn(side, options)?);
        }
    }
    let second = spawn(Side::Larder, options)?;
    let same_stores = compare::same(&options.data.join("larder"), &options.data.join("hand"))?;
    let (larder, hand) = (fastest(larder), fastest(hand));
    let result = Outcome { ratio: larder.seconds / hand.seconds, larder, hand, second, same_stores };
    if options.json {
        println!("{}", serde_json::to_string(&result)?);
    } else {
        print(&result);
    }
    let missed = result.missed();
    if missed.is_empty() { Ok(()) } else { Err(missed.join("; ").into()) }
}

fn fastest(runs: Vec<Run>) -> Run {
    runs.into_iter().min_by(|left, right| left.seconds.total_cmp(&right.seconds)).unwrap_or_default()
}

/// Runs one side in a process of its own, under the limit of open files.
fn spawn(side: Side, options: &Options) -> Result<Run, Box<dyn Error>> {
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -n {OPEN_FILES} && exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe()?)
        .args(["--side", side.name(), "--input"])
        .arg(&options.input)
        .arg("--data")
        .arg(&options.data)
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the {} side failed: {}", side.name(), output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn print(result: &Outcome) {
    println!("{:<24}{:>10}{:>10}{:>12}{:>10}{:>10}", "", "seconds", "cpu", "activities", "opened", "peak MiB");
    for (name, run) in [("by hand", &result.hand), ("larder", &result.larder), ("larder, second run", &result.second)] {
        let Run { seconds, cpu_seconds, peak_kib, activities, opened } = run;
        println!("{name:<24}{seconds:>10.2}{cpu_seconds:>10.2}{activities:>12}{opened:>10}{:>10}", peak_kib / 1024);
    }
    println!("\nratio {:.2} (at most {MOST_RATIO:.2})", result.ratio);
    println!("{} stores have the same tables and rows on both sides", result.same_stores);
}
