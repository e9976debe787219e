//! The stores that are damaged: built once, copied for each damage.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use larder::prelude::*;
use larder_tests::lab::{Lab, copy_dir, with_ending};

use super::pages::Pages;

/// An entry, found by its kind through an index.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "entries", index(kind))]
pub(super) struct Entry {
    #[table(primary_key)]
    pub(super) number: i64,
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) weight: f64,
}

/// How many entries there are of a kind.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "tallies")]
pub(super) struct Tally {
    #[table(primary_key)]
    pub(super) kind: String,
    pub(super) entries: i64,
}

#[derive(Event, Clone, Debug, PartialEq)]
pub(super) enum EntryEvent {
    #[event(name = "v1.EntryMade")]
    Made { number: i64, kind: String, text: String },
    #[event(name = "v1.EntryRemoved")]
    Removed { number: i64 },
}

#[derive(StoreSchema)]
#[schema(events = EntryEvent, tables(Entry, Tally), version = 1)]
pub(super) struct EntrySchema;

#[larder::materializer]
impl Materializer for EntrySchema {
    fn materialize(event: &EntryEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let (kind, change) = match event {
            EntryEvent::Made { number, kind, text } => {
                let weight = *number as f64 / 3.0;
                tables.insert(Entry { number: *number, kind: kind.clone(), text: text.clone(), weight })?;
                (kind.clone(), 1)
            }
            EntryEvent::Removed { number } => {
                let Some(entry) = tables.query(Entry::by_key(number))? else { return Ok(()) };
                tables.delete(Entry::by_key(number)).run()?;
                (entry.kind, -1)
            }
        };
        let entries = tables.query(Tally::by_key(kind.as_str()))?.map_or(0, |tally| tally.entries);
        tables.upsert(Tally { kind, entries: entries + change })
    }
}

larder::define_store! {
    pub(super) EntryStore {
        name: "entries",
        schema: EntrySchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
    }
}

/// The kinds of entries.
pub(super) const KINDS: [&str; 5] = ["bread", "butter", "honey", "jam", "tea"];

/// The event at a place of every patient's log, from 1 on. Some entries are removed again, so that there are free pages and free space.
pub(super) fn event(number: u64) -> EntryEvent {
    let signed = number.cast_signed();
    if number.is_multiple_of(4) && number > 40 {
        return EntryEvent::Removed { number: signed - 37 };
    }
    let long = if number.is_multiple_of(11) { 300 } else { 20 };
    let text = format!("entry {number} {}", "of the larder ".repeat((number % 7) as usize)) + &"-".repeat(long);
    EntryEvent::Made { number: signed, kind: KINDS[(number % 5) as usize].to_owned(), text }
}

/// Events in a commit.
const COMMIT: u64 = 5;

/// A store as it stands in files.
pub(super) struct Patient {
    /// A data dir, or the folder with the store's files of another time.
    pub(super) dir: PathBuf,
    /// How many events were committed.
    pub(super) events: u64,
    /// Whether there was an opener that did not close it.
    pub(super) killed: bool,
}

/// All of them, in one folder.
pub(super) struct Patients {
    root: tempfile::TempDir,
    /// Closed.
    pub(super) closed: Patient,
    /// The same, before its last opening.
    pub(super) earlier: Patient,
    /// Its opener was killed, with everything since it was opened in the `-wal`.
    pub(super) killed: Patient,
    /// The same, some commits before.
    pub(super) killed_before: Patient,
    /// The `-wal` of a killed opener of the time of `earlier`.
    pub(super) killed_earlier: Patient,
    /// Killed when a checkpoint had moved all of the `-wal` into the file.
    pub(super) moved: Patient,
    /// Another store, killed.
    pub(super) other: Patient,
    /// The same, closed.
    pub(super) other_closed: Patient,
    /// The pages of `closed`.
    pub(super) pages: Pages,
    copies: AtomicUsize,
}

/// A copy of a patient, to be damaged.
pub(super) struct Copy {
    pub(super) root: PathBuf,
    /// How many events were committed.
    pub(super) events: u64,
    pub(super) file: PathBuf,
}

impl Copy {
    /// The store's file, or the one beside it with this ending.
    pub(super) fn path(&self, ending: &str) -> PathBuf {
        with_ending(&self.file, ending)
    }

    pub(super) fn read(&self, ending: &str) -> Vec<u8> {
        fs::read(self.path(ending)).expect("the file is there")
    }

    pub(super) fn write(&self, ending: &str, bytes: &[u8]) {
        fs::write(self.path(ending), bytes).expect("it can be written");
    }

    pub(super) fn remove(&self, ending: &str) {
        fs::remove_file(self.path(ending)).expect("the file is there");
    }
}

impl Patients {
    pub(super) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let root = root.expect("a folder for the patients");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(build(root))
    }

    /// A copy of a patient.
    pub(super) fn copy(&self, patient: &Patient) -> Copy {
        let number = self.copies.fetch_add(1, Ordering::Relaxed);
        let root = self.root.path().join(format!("copy-{number}"));
        copy_dir(&patient.dir, &root);
        let file = store_file(&root);
        Copy { root, events: patient.events, file }
    }

    /// A file of a patient, by its ending.
    pub(super) fn file(&self, patient: &Patient, ending: &str) -> Vec<u8> {
        fs::read(with_ending(&store_file(&patient.dir), ending)).expect("the patient has it")
    }

    /// Whether a log with so many events ends behind a commit.
    pub(super) fn is_between_commits(events: u64) -> bool {
        events.is_multiple_of(COMMIT)
    }
}

fn store_file(dir: &Path) -> PathBuf {
    let files = fs::read_dir(dir.join("stores/entries")).expect("the folder of the stores");
    let mut paths = files.map(|file| file.expect("a file").path());
    paths.find(|path| path.extension().is_some_and(|ending| ending == "db")).expect("the store's file")
}

fn commit(store: &StoreHandle<EntryStore>, from: u64, to: u64) {
    let events: Vec<_> = (from..=to).map(event).collect();
    events.chunks(COMMIT as usize).for_each(|events| drop(store.commit(events).expect("it commits")));
}

async fn build(root: tempfile::TempDir) -> Patients {
    let mut lab = Lab::on_memory_disk();
    let keep = |lab: &Lab, name: &str, events, killed| {
        let dir = root.path().join(name);
        copy_dir(&lab.data_dir(), &dir);
        Patient { dir, events, killed }
    };
    let store = lab.open::<EntryStore>().await;
    commit(&store, 1, 80);
    drop(store);
    lab.close().await;
    let earlier = keep(&lab, "earlier", 80, false);
    let store = lab.open::<EntryStore>().await;
    commit(&store, 81, 95);
    let killed_earlier = keep(&lab, "killed-earlier", 95, true);
    commit(&store, 96, 120);
    drop(store);
    lab.close().await;
    let closed = keep(&lab, "closed", 120, false);
    let store = lab.open::<EntryStore>().await;
    commit(&store, 121, 135);
    let killed_before = keep(&lab, "killed-before", 135, true);
    commit(&store, 136, 150);
    let killed = keep(&lab, "killed", 150, true);
    let file = store_file(&lab.data_dir());
    let other = rusqlite::Connection::open(&file).expect("the store's file");
    other.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).expect("it checkpoints");
    let moved = keep(&lab, "moved", 150, true);
    drop((other, store));
    lab.close().await;
    let mut lab = Lab::on_memory_disk();
    let store = lab.registry().get::<EntryStore>("book:2").await.expect("it opens");
    commit(&store, 1, 60);
    drop(store);
    lab.close().await;
    let other_closed = keep(&lab, "other-closed", 60, false);
    let store = lab.registry().get::<EntryStore>("book:2").await.expect("it opens");
    commit(&store, 61, 100);
    let other = keep(&lab, "other", 100, true);
    drop(store);
    lab.close().await;
    let pages = Pages::of(&store_file(&closed.dir));
    let copies = AtomicUsize::new(0);
    Patients { root, closed, earlier, killed, killed_before, killed_earlier, moved, other, other_closed, pages, copies }
}
