//! Opening of stores: damaged files, files that are none, and logs that somebody else wrote.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use larder::{EventNumber, prelude::*};
use larder_tests::{
    forge::{self, Forged},
    lab::with_ending,
    vault::{Numbers, Thing, Vault, VaultEvent, numbers},
};

use crate::events::is_one_line;

/// A registry over one store, whose file each run writes anew.
struct Bench {
    runtime: tokio::runtime::Runtime,
    registry: StoreRegistry,
    file: PathBuf,
    sound: Vec<u8>,
    lock: Vec<u8>,
    _dir: tempfile::TempDir,
}

const ID: &str = "fuzz:1";

/// The first byte chooses what is done with the file of a sound store, the rest says how.
pub fn run(data: &[u8]) {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    let [choice, rest @ ..] = data else { return };
    let bench = BENCH.get_or_init(Bench::new);
    for ending in ["-wal", "-shm", ".new"] {
        let _ = fs::remove_file(with_ending(&bench.file, ending));
    }
    fs::write(with_ending(&bench.file, ".lock"), &bench.lock).expect("the lock file");
    let file = match choice % 4 {
        0 => rest.to_vec(),
        1 => damaged(&bench.sound, rest),
        _ => bench.sound.clone(),
    };
    fs::write(&bench.file, file).expect("the store's file");
    match choice % 4 {
        2 => forged(&bench.file, rest),
        3 => fs::write(with_ending(&bench.file, "-wal"), rest).expect("a file"),
        _ => {}
    }
    bench.open();
}

/// Each 4 bytes change one: 3 say where, 1 what it becomes; beyond the end the file is cut there instead.
fn damaged(sound: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut file = sound.to_vec();
    for change in changes.as_chunks::<4>().0 {
        let place = usize::from(change[0]) << 16 | usize::from(change[1]) << 8 | usize::from(change[2]);
        match file.get_mut(place) {
            Some(byte) => *byte ^= change[3].max(1),
            None => file.truncate(place % (sound.len() + 1)),
        }
    }
    file
}

/// Rows with names and arguments of anybody's: a line each, the name before the first tab.
fn forged(file: &Path, lines: &[u8]) {
    let text = String::from_utf8_lossy(lines);
    let event = |line: &str| match line.split_once('\t') {
        Some((name, args)) => Forged::new(name, args),
        None => Forged { name: line.to_owned(), args: None },
    };
    forge::append(file, &text.split('\n').map(event).collect::<Vec<_>>());
}

impl Bench {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let dir = dir.expect("a folder");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
        let _entered = runtime.enter();
        let registry = StoreRegistry::builder().data_dir(dir.path().join("data")).build().expect("a registry");
        let file = runtime.block_on(async {
            let store = registry.get::<Vault>(ID).await.expect("a new store");
            store.commit(history()).expect("it commits");
            drop(store);
            registry.evict::<Vault>(ID).await.expect("it closes");
            let stored = registry.stored::<Vault>().await.expect("the catalog");
            stored.into_iter().next().expect("the store").file
        });
        let sound = fs::read(&file).expect("the store's file");
        let lock = fs::read(with_ending(&file, ".lock")).expect("its lock file");
        drop(_entered);
        Self { runtime, registry, file, sound, lock, _dir: dir }
    }

    fn open(&self) {
        self.runtime.block_on(async {
            match self.registry.get::<Vault>(ID).await {
                Ok(store) => use_store(&store).await,
                Err(error) => is_one_line(&error.to_string()),
            }
            let closed = tokio::time::timeout(Duration::from_secs(60), self.registry.evict::<Vault>(ID));
            if let Err(error) = closed.await.expect("it closes in time") {
                is_one_line(&error.to_string());
            }
        });
        if let Ok(report) = larder::doctor::check(&self.file) {
            report.problems.iter().for_each(|problem| assert!(!problem.is_empty()));
        }
        let _ = larder::doctor::export(&self.file, &mut std::io::sink());
    }
}

fn history() -> Vec<VaultEvent> {
    let kept = |number: i64| VaultEvent::Kept {
        key: format!("thing {number}"),
        text: "text ".repeat(usize::try_from(number % 50).unwrap_or(0)),
        json: serde_json::json!({ "number": number }),
    };
    (0..100).flat_map(|number| [kept(number), numbers(number)]).chain([VaultEvent::Emptied]).collect()
}

/// Everything that reads, and a commit: errors are typed, and what is shown of the log is what was committed.
async fn use_store(store: &StoreHandle<Vault>) {
    let told = |error: &dyn std::error::Error| assert!(!error.to_string().is_empty());
    let _ = store.query(Thing::all()).inspect_err(|error| told(error));
    let _ = store.query(Numbers::all().count()).inspect_err(|error| told(error));
    let _ = store.query(Thing::filter(Thing::TEXT.like("text%"))).inspect_err(|error| told(error));
    let _ = store.failed_events().inspect_err(|error| told(error));
    let mut events = store.events(EventNumber::ZERO);
    let committed = history();
    for committed in committed.iter().filter(|event| **event != VaultEvent::Emptied) {
        match events.next().await {
            Some(Ok(event)) => assert_eq!(event.decode().ok(), Some(Some(committed.clone())), "{}", event.number),
            _ => break,
        }
    }
    let _ = store.commit(numbers(1_000)).inspect_err(|error| told(error));
    let _ = store.verify().inspect_err(|error| told(error));
}
