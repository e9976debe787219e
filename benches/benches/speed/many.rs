//! Many stores: what an idle one costs, and how many there can be. Each measurement is a process of its own.

use std::{
    collections::VecDeque,
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use clap::ValueEnum;
use larder::{StoreDefinition, prelude::*};
use larder_benches::heap;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    app::{Issue, IssueStore, MemoryStore, opened},
    hand::{Hand, Opened},
    lab::{Lab, runtime},
    measure::Outcome,
    pending,
    report::{Bar, Row, Unit},
};

/// Loaded stores over which an idle one is averaged.
const IDLE: usize = 1_000;
/// Stores loaded at once, with files.
const FILES: usize = 3_000;
/// Stores at once in memory, and stores that go through a small capacity.
const MANY: usize = 10_000;
/// Open files of the process that has room for few.
const FEW_FILES: u32 = 1_024;
/// A store is idle when no call came for a whole second.
const UNTIL_IDLE: Duration = Duration::from_millis(2_600);
/// Threads that did blocking work end after 10 seconds without any.
const UNTIL_THREADS_END: Duration = Duration::from_secs(11);

/// What a child measures.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Child {
    /// Idle stores in files.
    Idle,
    /// Idle connections by hand.
    IdleHand,
    /// 3,000 loaded at once.
    Files,
    /// 10,000 in memory at once.
    Memory,
    /// 10,000 through a capacity that fits 1,024 open files.
    Through,
    /// The same by hand: the longest unused of as many connections is closed.
    ThroughHand,
    /// 100,000 pending events of one store.
    Pending,
}

/// What a child found: for one store.
#[derive(Serialize, Deserialize, Debug, Default)]
struct Found {
    nanos: f64,
    rust_bytes: f64,
    sqlite_bytes: f64,
    resident_bytes: f64,
    /// Of all stores together.
    threads: i64,
    tasks: i64,
    /// Of the process, at most.
    open_files: usize,
    /// Stores at once.
    stores: usize,
}

impl Found {
    fn bytes(&self) -> f64 {
        self.rust_bytes + self.sqlite_bytes
    }
}

/// What an idle store costs.
pub(crate) fn idle() -> Outcome<Vec<Row>> {
    let (larder, hand): (Found, Found) = (spawn(Child::Idle, None)?, spawn(Child::IdleHand, None)?);
    let most = 64.0 * 1024.0;
    let bytes =
        Row::number("idle loaded store, allocated", Unit::Bytes, larder.bytes(), Some(hand.bytes()), Bar::Most(most));
    let resident = (larder.resident_bytes, Some(hand.resident_bytes));
    Ok(vec![
        bytes.note(format!(
            "{:.0} of SQLite and {:.0} of larder; by hand a connection with 3 commits, caches released, SQLite {:.0}",
            larder.sqlite_bytes, larder.rust_bytes, hand.sqlite_bytes
        )),
        Row::number("idle loaded store, resident (anonymous)", Unit::Bytes, resident.0, resident.1, Bar::None)
            .note("what the allocator keeps of busier times counts, too"),
        Row::number("threads for 1,000 idle stores", Unit::Count, larder.threads as f64, None, Bar::Most(0.0)),
        Row::number("tasks for 1,000 idle stores", Unit::Count, larder.tasks as f64, None, Bar::Most(0.0)),
    ])
}

/// How many stores there can be.
pub(crate) fn counts() -> Outcome<Vec<Row>> {
    let through: Found = spawn(Child::Through, Some(FEW_FILES))?;
    let by_hand: Found = spawn(Child::ThroughHand, Some(FEW_FILES))?;
    let (files, memory) = (spawn(Child::Files, None)?, spawn(Child::Memory, None)?);
    let at_once = |work, found: &Found| {
        Row::number(work, Unit::Nanos, found.nanos, None, Bar::None).note(format!(
            "{} at once, {:.1} KiB resident each when idle, {} open files, {} threads and {} tasks more than before",
            found.stores,
            found.resident_bytes / 1024.0,
            found.open_files,
            found.threads,
            found.tasks
        ))
    };
    Ok(vec![
        Row::number(
            "10,000 stores opened, committed, collected: each",
            Unit::Nanos,
            through.nanos,
            Some(by_hand.nanos),
            Bar::None,
        )
        .note(format!(
            "under a limit of {FEW_FILES} open files, {} stores at once, {} files open at most; by hand as many connections, the \
             longest unused closed for the next",
            through.stores, through.open_files
        )),
        at_once("3,000 stores with files loaded at once: each", &files),
        at_once("10,000 stores in memory at once: each", &memory),
    ])
}

pub(crate) fn spawn<F: DeserializeOwned>(child: Child, open_files: Option<u32>) -> Outcome<F> {
    let name = child.to_possible_value().ok_or("a hidden child")?;
    let limit = open_files.map_or_else(|| "$(ulimit -Hn)".to_owned(), |files| files.to_string());
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe()?)
        .args(["--child", name.get_name()])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("child {child:?} failed: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// In the child: measures, and prints what it found.
pub(crate) fn run(child: Child) -> Outcome<()> {
    let found = match child {
        Child::Idle => at_once::<IssueStore>(IDLE)?,
        Child::IdleHand => idle_by_hand()?,
        Child::Files => at_once::<IssueStore>(FILES)?,
        Child::Memory => at_once::<MemoryStore>(MANY)?,
        Child::Through => through()?,
        Child::ThroughHand => through_by_hand()?,
        Child::Pending => {
            println!("{}", serde_json::to_string(&pending::measure()?)?);
            return Ok(());
        }
    };
    println!("{}", serde_json::to_string(&found)?);
    Ok(())
}

/// What the process has now.
struct Now {
    heap: (i64, i64),
    resident: i64,
    threads: i64,
}

impl Now {
    fn look() -> Outcome<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        let resident = 1024 * field("RssAnon:").trim_end_matches(" kB").parse::<i64>()?;
        Ok(Self { heap: heap::allocated(), resident, threads: field("Threads:").parse()? })
    }

    fn since(&self, before: &Self, stores: usize) -> Found {
        let each = |now: i64, before: i64| (now.wrapping_sub(before)) as f64 / stores as f64;
        Found {
            rust_bytes: each(self.heap.0, before.heap.0),
            sqlite_bytes: each(self.heap.1, before.heap.1),
            resident_bytes: each(self.resident, before.resident),
            threads: self.threads - before.threads,
            stores,
            ..Found::default()
        }
    }
}

/// Stores that are all loaded, each with three events, asked once, and then left alone until they are idle.
fn at_once<D>(stores: usize) -> Outcome<Found>
where
    D: StoreDefinition<Id = StoreId, Schema = crate::app::IssueSchema>,
{
    let folder = tempfile::tempdir()?;
    let runtime = runtime()?;
    let registry =
        runtime.block_on(async { StoreRegistry::builder().data_dir(folder.path()).capacity(stores + 1).build() })?;
    let id = |store: usize| format!("workspace:{store}").parse::<StoreId>();
    let use_it = |store: usize| -> Outcome<StoreHandle<D>> {
        let handle = runtime.block_on(registry.get::<D>(&id(store)?))?;
        for number in 0..3 {
            handle.commit(opened(number))?;
        }
        handle.query(Issue::by_key(1))?.ok_or("a row is missing")?;
        Ok(handle)
    };
    // The first store brings what all share: threads, the timer's task, the catalog's statements.
    let first = use_it(stores)?;
    thread::sleep(UNTIL_IDLE + UNTIL_THREADS_END);
    let (before, tasks) = (Now::look()?, runtime.metrics().num_alive_tasks());
    let begun = Instant::now();
    let handles = (0..stores).map(use_it).collect::<Outcome<Vec<_>>>()?;
    let took = begun.elapsed();
    thread::sleep(UNTIL_IDLE + UNTIL_THREADS_END);
    let open_files = fs::read_dir("/proc/self/fd")?.count();
    let found = Now::look()?.since(&before, stores);
    let tasks = runtime.metrics().num_alive_tasks() as i64 - tasks as i64;
    drop((first, handles));
    runtime.block_on(registry.shutdown(Duration::from_secs(60)));
    Ok(Found { nanos: took.as_nanos() as f64 / stores as f64, tasks, open_files, ..found })
}

/// Connections by hand with the same content, and the same said to SQLite that larder says to an idle one.
fn idle_by_hand() -> Outcome<Found> {
    let folder = tempfile::tempdir()?;
    let open = |store: usize| -> Outcome<Hand> {
        let mut hand = Hand::open(&folder.path().join(format!("{store}.db")))?;
        for number in 0..3 {
            hand.commit(&[Opened::of(number)])?;
        }
        hand.by_key(1)?.ok_or("a row is missing")?;
        hand.connection.flush_prepared_statement_cache();
        hand.connection.release_memory()?;
        Ok(hand)
    };
    let first = open(IDLE)?;
    let before = Now::look()?;
    let all = (0..IDLE).map(open).collect::<Outcome<Vec<_>>>()?;
    let found = Now::look()?.since(&before, IDLE);
    drop((first, all));
    Ok(found)
}

/// New stores, one after the other, each committed to once and left to the registry's capacity.
fn through() -> Outcome<Found> {
    let lab = Lab::new()?;
    let capacity = lab.registry.stats().capacity;
    let (begun, mut open_files) = (Instant::now(), 0);
    for store in 0..MANY {
        let id = format!("workspace:{store}").parse()?;
        let handle = lab.get(&id)?;
        handle.commit(opened(1))?;
        drop(handle);
        if store % 500 == 499 {
            open_files = open_files.max(fs::read_dir("/proc/self/fd")?.count());
        }
    }
    let stored = lab.block_on(lab.registry.stored::<IssueStore>())?.len();
    lab.block_on(lab.registry.shutdown(Duration::from_secs(60)));
    let nanos = begun.elapsed().as_nanos() as f64 / MANY as f64;
    if stored != MANY {
        return Err(format!("{stored} stores are stored").into());
    }
    Ok(Found { nanos, open_files, stores: capacity, ..Found::default() })
}

fn through_by_hand() -> Outcome<Found> {
    let lab = Lab::new()?;
    let capacity = lab.registry.stats().capacity;
    let begun = Instant::now();
    let mut open = VecDeque::with_capacity(capacity);
    for store in 0..MANY {
        if open.len() == capacity {
            open.pop_front().map_or(Ok(()), Hand::close)?;
        }
        let mut hand = Hand::open(&lab.path(&format!("{store}.db")))?;
        hand.commit(&[Opened::of(1)])?;
        open.push_back(hand);
    }
    open.into_iter().try_for_each(Hand::close)?;
    Ok(Found { nanos: begun.elapsed().as_nanos() as f64 / MANY as f64, stores: capacity, ..Found::default() })
}
