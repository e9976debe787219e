//! The real registry on real threads and real time: many at once, and another process.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use larder::{CommitErrorKind, LoadError, StoreOptions, prelude::*};

use super::support::*;

/// xorshift; the seed is in the message of a failure.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Commits through a handle; the only errors allowed are those of a load that is over.
fn commit(handle: &StoreHandle<NoteStore>, number: i64) -> bool {
    match handle.commit(written(number)) {
        Ok(_) => true,
        Err(error) => {
            assert!(matches!(error.kind(), CommitErrorKind::Store(_)), "{error}");
            false
        }
    }
}

async fn act(registry: &StoreRegistry, random: &mut Random, acknowledged: &[AtomicU64], next: &AtomicU64) {
    let at = random.below(acknowledged.len() as u64) as usize;
    let id = format!("n{at}");
    match random.below(20) {
        0 => drop(registry.evict::<NoteStore>(&id)),
        1 => drop(registry.evict::<NoteStore>(&id).await),
        2 => registry.preload::<NoteStore>(&id).detach(),
        3 => {
            let mut get = registry.get::<NoteStore>(&id);
            let _ = poll_once(&mut get);
        }
        4 if random.below(20) == 0 => drop(registry.clear()),
        5 => drop(registry.try_get::<NoteStore>(&id)),
        6 => drop(registry.stats()),
        _ => match registry.get::<NoteStore>(&id).await {
            Ok(handle) => {
                let clone = handle.clone();
                if commit(&clone, i64::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap()) {
                    acknowledged[at].fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(error) => {
                assert!(matches!(error, LoadError::Cancelled { .. } | LoadError::TooManyOpenFiles { .. }), "{error}")
            }
        },
    }
}

#[test]
fn many_threads_lose_nothing_and_leave_nothing() {
    let seed = u64::from(std::process::id()) | 1;
    println!("seed {seed}");
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let defaults = StoreOptions::new().gc_time(Duration::from_millis(3));
        let registry = StoreRegistry::builder().data_dir(dir.path()).capacity(8).defaults(defaults).build().unwrap();
        let acknowledged: Arc<Vec<AtomicU64>> = Arc::new((0..12).map(|_| AtomicU64::new(0)).collect());
        let next = Arc::new(AtomicU64::new(0));
        let until = Instant::now() + Duration::from_millis(1_500);
        let tasks: Vec<_> = (0..16)
            .map(|task| {
                let (registry, acknowledged, next) = (registry.clone(), Arc::clone(&acknowledged), Arc::clone(&next));
                tokio::spawn(async move {
                    let mut random = Random(seed.wrapping_mul(task + 1) | 1);
                    while Instant::now() < until {
                        act(&registry, &mut random, &acknowledged, &next).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(registry.shutdown(Duration::from_secs(10)).await.is_clean());
        assert!(registry.stats().stores.is_empty());
        drop(registry);
        let again = StoreRegistry::builder().data_dir(dir.path()).build().unwrap();
        for (at, count) in acknowledged.iter().enumerate() {
            let handle = again.get::<NoteStore>(format!("n{at}")).await.unwrap();
            let found = handle.query(Note::all()).unwrap().len() as u64;
            assert_eq!(found, count.load(Ordering::Relaxed), "acknowledged commits of n{at}");
        }
        again.shutdown(Duration::from_secs(10)).await;
    });
}

/// What the child process runs: holds a store until its parent closes the pipe.
#[test]
fn child_that_holds_a_store() {
    let Ok(dir) = std::env::var("LARDER_TEST_HOLD") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let registry = StoreRegistry::builder().data_dir(dir).build().unwrap();
        let handle = registry.get::<NoteStore>("n").await.unwrap();
        handle.commit(written(1)).unwrap();
        println!("holds it as {}", registry.client_id());
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
    });
}

#[tokio::test]
async fn a_store_that_another_process_holds_is_locked_and_says_by_whom() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "registry::threads::child_that_holds_a_store", "--nocapture"])
        .env("LARDER_TEST_HOLD", dir.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.find_map(|line| line.split_once("holds it as ").map(|(_, id)| id.to_owned())).unwrap();
    let registry = StoreRegistry::builder().data_dir(dir.path()).build().unwrap();
    assert_eq!(registry.client_id().as_str(), told, "two processes on one data dir are one client");
    match registry.get::<NoteStore>("n").await {
        Err(LoadError::Locked { holder, .. }) => assert_eq!(holder, format!("process {}", child.id())),
        other => panic!("{other:?}"),
    }
    assert_eq!(registry.stored::<NoteStore>().await.unwrap().len(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let handle = registry.get::<NoteStore>("n").await.unwrap();
    assert_eq!(handle.query(Note::all()).unwrap().len(), 1);
}
