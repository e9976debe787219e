//! The real registry with real files on many real threads: nothing that was acknowledged is lost, nothing is done twice, and nothing is
//! left. It runs in a process of its own, so that threads and open files can be counted.

use std::{
    collections::HashMap,
    fs,
    process::Command,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use larder::{
    CommitErrorKind, LoadError, StoreError, StoreOptions, StoreState,
    prelude::*,
    testing::{EventLog, Happened},
};
use larder_tests::executor::block_on;

use super::support::*;

const THREADS: u64 = 64;
const IDS: u64 = 1_000;
/// More than the threads hold at the same time, and far fewer than the ids.
const CAPACITY: usize = 100;

/// xorshift; the seed is printed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// Half of the time one of a few ids, which many threads want at once.
    fn id(&mut self) -> u64 {
        let among = if self.below(2) == 0 { 16 } else { IDS };
        self.below(among)
    }
}

/// What all threads share.
struct Ledger {
    registry: StoreRegistry,
    /// How many commits of each id were acknowledged.
    acknowledged: Vec<AtomicU64>,
    next: AtomicU64,
    until: Instant,
}

impl Ledger {
    fn commit(&self, at: u64, handle: &StoreHandle<NoteStore>) {
        let number = i64::try_from(self.next.fetch_add(1, Ordering::Relaxed)).unwrap();
        match handle.commit(written(number)) {
            Ok(_) => {
                self.acknowledged[at as usize].fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                let evicted = matches!(error.kind(), CommitErrorKind::Store(StoreError::Evicted { .. }));
                assert!(evicted, "{error}");
            }
        }
    }

    fn get(&self, random: &mut Random) -> Option<(u64, StoreHandle<NoteStore>)> {
        let at = random.id();
        let get = self.registry.get::<NoteStore>(format!("n{at}"));
        let get = if random.below(4) == 0 { get.gc_time(Duration::ZERO) } else { get };
        match block_on(get) {
            Ok(handle) => Some((at, handle)),
            Err(error) => {
                assert!(matches!(error, LoadError::Cancelled { .. }), "{error}");
                None
            }
        }
    }

    /// One thing that an app may do. What it holds, it may hold for a while.
    fn act(&self, random: &mut Random, held: &mut Option<(u64, StoreHandle<NoteStore>)>) {
        let id = format!("n{}", random.id());
        match random.below(100) {
            0..50 => {
                *held = None;
                *held = self.get(random);
            }
            50..60 => *held = None,
            60..70 => {
                // Its last waiter may leave, or one of several.
                *held = None;
                let _ = poll_once(&mut self.registry.get::<NoteStore>(&id));
            }
            70..76 => block_on(self.registry.evict::<NoteStore>(&id)).unwrap(),
            76..80 => drop(self.registry.evict::<NoteStore>(&id)),
            80..85 => {
                *held = None;
                let preloaded = block_on(self.registry.preload::<NoteStore>(&id).gc_time(Duration::from_millis(1)));
                assert!(matches!(preloaded, Ok(()) | Err(LoadError::Cancelled { .. })), "{preloaded:?}");
            }
            85..90 => drop(self.registry.try_get::<NoteStore>(&id)),
            90..98 => drop(self.registry.has::<NoteStore>(&id)),
            98 => drop(self.registry.stats()),
            _ if random.below(30) == 0 => drop(self.registry.clear()),
            _ => {}
        }
        if let Some((at, handle)) = held {
            let clone = handle.clone();
            self.commit(*at, &clone);
        }
    }
}

/// Each load of a store ends before the next one begins: at most one is live.
fn lives(happened: &[Happened]) {
    let mut lives: HashMap<String, &str> = HashMap::new();
    for step in happened {
        let (name, from, to) = match step {
            Happened::Loading(name) => (name, "out", "loading"),
            Happened::Loaded(name) => (name, "loading", "loaded"),
            Happened::LoadFailed(name) => (name, "loading", "out"),
            Happened::Evicted(name, _) => (name, "loaded", "leaving"),
            Happened::Closed(name) => (name, "leaving", "out"),
            _ => continue,
        };
        let life = lives.entry(name.to_string()).or_insert("out");
        assert_eq!(*life, from, "{step}");
        *life = to;
    }
    assert!(lives.values().all(|life| *life == "out"), "a store was not closed");
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What ends says so a moment before it is gone. The system counts threads and files, and wakes nobody when a count changes, so it is asked
/// again and again.
fn back_to(baseline: usize, what: &str, count: fn() -> usize) {
    let until = Instant::now() + Duration::from_secs(30);
    while count() > baseline && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(count(), baseline, "{what} are left");
}

fn run(seconds: u64, seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let (threads_before, files_before) = (threads(), open_files());
    let log = EventLog::new();
    let defaults = StoreOptions::new().gc_time(Duration::from_millis(5));
    let builder = StoreRegistry::builder().data_dir(dir.path()).capacity(CAPACITY).defaults(defaults).log(&log);
    let ledger = Arc::new(Ledger {
        registry: builder.build().unwrap(),
        acknowledged: (0..IDS).map(|_| AtomicU64::new(0)).collect(),
        next: AtomicU64::new(1),
        until: Instant::now() + Duration::from_secs(seconds),
    });
    let begun = Arc::new(Barrier::new(THREADS as usize));
    let running: Vec<_> = (1..=THREADS)
        .map(|thread| {
            let (ledger, begun) = (Arc::clone(&ledger), Arc::clone(&begun));
            std::thread::spawn(move || {
                let (mut random, mut held, mut acts) = (Random((seed * THREADS + thread) << 8 | 1), None, 0_u64);
                begun.wait();
                while Instant::now() < ledger.until {
                    ledger.act(&mut random, &mut held);
                    acts += 1;
                }
                acts
            })
        })
        .collect();
    let acts: u64 = running.into_iter().map(|thread| thread.join().unwrap()).sum();
    let Some(ledger) = Arc::into_inner(ledger) else { panic!("a thread holds the ledger") };
    let stats = ledger.registry.stats();
    for store in &stats.stores {
        assert_eq!(store.observers, 0, "{store:?}");
        assert!(matches!(store.state, StoreState::Inactive | StoreState::Closing), "{store:?}");
    }
    assert!(block_on(ledger.registry.shutdown(Duration::from_secs(60))).is_clean());
    assert_eq!(ledger.registry.stats().stores, []);
    drop(ledger.registry);
    back_to(threads_before, "threads", threads);
    back_to(files_before, "open files", open_files);
    let happened = log.take_happened();
    lives(&happened);
    nothing_is_beside_the_stores(dir.path());
    let commits = all_is_there(dir.path(), &ledger.acknowledged);
    println!("{acts} acts of {THREADS} threads, {} loads, {commits} commits in {seconds} s", stats.loads);
    assert!(stats.loads > THREADS && commits > THREADS, "the threads did next to nothing");
}

/// A store that was closed has neither a `-wal` nor a `-shm`.
fn nothing_is_beside_the_stores(data_dir: &std::path::Path) {
    for file in fs::read_dir(data_dir.join("stores/note")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with("-wal") && !name.ends_with("-shm"), "{name} is left");
    }
}

/// Every store has just as many rows and events as were acknowledged.
fn all_is_there(data_dir: &std::path::Path, acknowledged: &[AtomicU64]) -> u64 {
    let registry = StoreRegistry::builder().data_dir(data_dir).build().unwrap();
    let mut commits = 0;
    for (at, count) in acknowledged.iter().enumerate() {
        let count = count.load(Ordering::Relaxed);
        if count > 0 {
            let store = block_on(registry.get::<NoteStore>(format!("n{at}"))).unwrap();
            let found = (store.query(Note::all()).unwrap().len() as u64, store.head().global());
            assert_eq!(found, (count, count), "rows and events of n{at}");
        }
        commits += count;
    }
    assert!(block_on(registry.shutdown(Duration::from_secs(60))).is_clean());
    commits
}

/// What the process of its own runs.
#[test]
fn child_with_many_threads() {
    let Ok(seconds) = std::env::var("LARDER_TEST_STRESS") else { return };
    let seed = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("seed {seed}");
    run(seconds.parse().unwrap(), seed);
}

#[test]
fn sixty_four_threads_over_a_thousand_ids_for_ten_seconds_lose_nothing_and_leave_nothing() {
    let seconds = std::env::var("LARDER_STRESS_SECONDS").unwrap_or_else(|_| "10".to_owned());
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "registry::stress::child_with_many_threads", "--nocapture"])
        .env("LARDER_TEST_STRESS", seconds)
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    println!("{said}");
    assert!(child.status.success() && said.contains(" acts of 64 threads"), "{said}");
}
