//! What only shows from inside: failures of the disk, and the quiet times of an idle store.

use std::{
    any::Any,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

use super::{Engine, EngineHost, Maintained, OpenRequest, ReaderPool, Store, StoreName};
use crate::{
    CommitErrorKind, Durability, QueryErrorKind, SqliteAdapter, StoreError,
    clock::Runtime,
    define_store,
    definition::StoreDefinition,
    event::EventNumber,
    options::{Layers, StoreOptions},
    prelude::*,
    schema::SchemaModel,
    storage::{
        identity::Client,
        network::{FileSystem, Folders},
        sqlite::{Place, SqliteError, SqliteErrorKind},
    },
};

mod checkpoints;
mod drops;
mod merging;
mod receipts;
mod replaced;
mod snapshots;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "notes")]
pub(super) struct Note {
    #[table(primary_key)]
    number: i64,
    text: String,
}

#[derive(Event, Clone, Debug, PartialEq)]
pub(super) enum NoteEvent {
    #[event(name = "v1.NoteWritten")]
    Written { number: i64, text: String },
}

#[derive(StoreSchema)]
#[schema(events = NoteEvent, tables(Note), version = 1)]
pub(super) struct NoteSchema;

#[crate::materializer]
impl Materializer for NoteSchema {
    fn materialize(event: &NoteEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let NoteEvent::Written { number, text } = event;
        tables.insert(Note { number: *number, text: text.clone() })
    }
}

define_store! {
    pub(super) NoteStore { name: "note", schema: NoteSchema, adapter: SqliteAdapter::persisted() }
}

/// Counts what the store says.
#[derive(Default)]
pub(super) struct Ears {
    busy: AtomicUsize,
    stopped: Mutex<Vec<StoreError>>,
}

impl EngineHost for Ears {
    fn busy(&self) {
        self.busy.fetch_add(1, Ordering::SeqCst);
    }

    fn stopped(&self, error: StoreError) {
        self.stopped.lock().unwrap().push(error);
    }

    fn retain(&self) -> Option<Box<dyn Any + Send + Sync>> {
        Some(Box::new(()))
    }
}

pub(super) fn open(place: &Place) -> (Store<NoteStore>, Arc<Ears>) {
    let host = Arc::new(Ears::default());
    let (engine, _) = Engine::open(request(place, &host, &Arc::new(ReaderPool::new(4)))).unwrap();
    (Store::new(engine), host)
}

fn request(place: &Place, host: &Arc<Ears>, readers: &Arc<ReaderPool>) -> OpenRequest {
    request_with(StoreOptions::default(), place, host, readers)
}

fn request_with(options: StoreOptions, place: &Place, host: &Arc<Ears>, readers: &Arc<ReaderPool>) -> OpenRequest {
    let none = StoreOptions::default();
    let layers = Layers { registry: &options, definition: &NoteStore::__options(), call: &none };
    OpenRequest {
        model: SchemaModel::of::<NoteStore>().unwrap(),
        name: StoreName::new(NoteStore::NAME, "note:1".parse().unwrap()),
        place: place.clone(),
        create: true,
        options: layers.resolve().into(),
        client: Client::new("client".into()).into(),
        session_id: "session".into(),
        readers: Arc::clone(readers),
        runtime: Runtime::real().unwrap(),
        cancel: CancellationToken::new(),
        progress: Arc::new(|_| {}),
        host: Arc::clone(host) as Arc<dyn EngineHost>,
    }
}

fn places() -> [(Place, tempfile::TempDir); 2] {
    let dir = || tempfile::tempdir().unwrap();
    let on_disk = dir();
    [(Place::File(on_disk.path().join("a.db")), on_disk), (Place::Memory, dir())]
}

pub(super) fn on_disk() -> (Place, tempfile::TempDir) {
    let [on_disk, _] = places();
    on_disk
}

pub(super) fn note(number: i64, bytes: usize) -> NoteEvent {
    NoteEvent::Written { number, text: "x".repeat(bytes) }
}

/// The disk has room for so many pages more.
fn limit_disk(store: &Store<NoteStore>, more: i64) {
    let mut slot = store.engine.lock_writer();
    let connection = &mut slot.as_mut().unwrap().connection;
    let pages = connection.integer("PRAGMA page_count", &[]).unwrap().unwrap();
    connection.batch(&format!("PRAGMA max_page_count = {}", pages + more)).unwrap();
}

#[test]
fn a_full_disk_is_a_typed_error_and_a_retry_works_when_there_is_room() {
    for (place, _dir) in places() {
        let (store, host) = open(&place);
        store.commit(note(1, 10)).unwrap();
        limit_disk(&store, 1);
        let error = store.commit([note(2, 10), note(3, 50_000)]).unwrap_err();
        assert!(matches!(error.kind(), CommitErrorKind::DiskFull { .. }), "{error}");
        assert_eq!(store.query(Note::all().count()).unwrap(), 1);
        store.commit(note(4, 10)).unwrap();
        limit_disk(&store, 1_000);
        store.commit(error.into_events()).unwrap();
        assert_eq!((store.query(Note::all().count()).unwrap(), store.head()), (4, EventNumber::synced(4)));
        assert!(store.verify().unwrap().is_sound() && host.stopped.lock().unwrap().is_empty());
    }
}

#[test]
fn when_sqlite_rolls_back_the_whole_transaction_the_others_are_tried_alone() {
    for (place, _dir) in places() {
        let (store, _host) = open(&place);
        store.commit(note(100, 10)).unwrap();
        limit_disk(&store, 4);
        let before = transactions(&place);
        let busy = store.engine.lock_writer();
        let failed = std::thread::scope(|scope| {
            let commits: Vec<_> = (1..=6)
                .map(|number| {
                    let store = &store;
                    scope.spawn(move || store.commit(note(number, if number == 3 { 100_000 } else { 10 })).is_err())
                })
                .collect();
            // Whoever came first leads and waits for the writer, the others wait for the leader.
            while store.engine.queue.waiting() < 5 {
                std::thread::yield_now();
            }
            drop(busy);
            commits.into_iter().map(|commit| commit.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(failed, [false, false, true, false, false, false]);
        // Each of the five has one of its own: the one that they shared came to nothing.
        assert_eq!(transactions(&place) - before, if place == Place::Memory { 0 } else { 5 });
        assert_eq!((store.query(Note::all().count()).unwrap(), store.head()), (6, EventNumber::synced(6)));
        assert!(store.verify().unwrap().is_sound());
    }
}

/// Transactions in the `-wal`: frames that say how many pages the file has.
fn transactions(place: &Place) -> usize {
    let Place::File(path) = place else { return 0 };
    let wal = std::fs::read(crate::storage::lock::beside(path, "-wal")).unwrap();
    wal[32..].chunks_exact(24 + 4_096).filter(|frame| frame[4..8] != [0; 4]).count()
}

#[test]
fn a_failed_sync_poisons_the_store_for_writes_until_it_is_reopened() {
    for (place, _dir) in places() {
        let (store, host) = open(&place);
        store.commit(note(1, 10)).unwrap();
        let error = SqliteError::new(SqliteErrorKind::SyncFailed, "disk I/O error");
        store.engine.explain(super::commit::failed(&store.engine.shared, error));
        let refused = store.commit(note(2, 10)).unwrap_err();
        assert!(matches!(refused.kind(), CommitErrorKind::Store(StoreError::Poisoned { .. })), "{refused}");
        assert_eq!(store.query(Note::all().count()).unwrap(), 1);
        assert!(host.stopped.lock().unwrap().is_empty());
        store.engine.close().unwrap();
        if place != Place::Memory {
            let (store, _host) = open(&place);
            store.commit(refused.into_events()).unwrap();
        }
    }
}

#[test]
fn damage_stops_the_store_for_good_and_the_host_hears_of_it_once() {
    for (place, _dir) in places() {
        let (store, host) = open(&place);
        let damage = SqliteError::new(SqliteErrorKind::Corrupt, "database disk image is malformed");
        store.engine.notice(&damage);
        store.engine.notice(&damage);
        let stopped = store.query(Note::all()).unwrap_err();
        assert!(matches!(stopped.kind(), QueryErrorKind::Store(StoreError::Stopped { .. })), "{stopped}");
        assert!(store.commit(note(1, 1)).is_err());
        assert_eq!(host.stopped.lock().unwrap().len(), 1);
    }
}

#[cfg(unix)]
#[test]
fn a_store_whose_file_is_gone_stops() {
    let [(place, dir), _] = places();
    let (store, host) = open(&place);
    store.commit(note(1, 1)).unwrap();
    std::fs::remove_dir_all(dir.path()).unwrap();
    store.query(Note::all()).unwrap_err();
    assert_eq!(host.stopped.lock().unwrap().len(), 1);
    assert!(store.commit(note(2, 1)).unwrap_err().to_string().contains("its file is gone"));
}

#[test]
fn a_store_is_idle_after_a_whole_look_without_a_call_and_the_next_call_is_heard() {
    for (place, _dir) in places() {
        let (store, host) = open(&place);
        store.commit(note(1, 10)).unwrap();
        store.query(Note::all()).unwrap();
        assert_eq!(host.busy.load(Ordering::SeqCst), 1);
        assert_eq!(store.engine.maintain(), Maintained::StillBusy);
        store.query(Note::all()).unwrap();
        assert_eq!(store.engine.maintain(), Maintained::StillBusy);
        assert_eq!(store.engine.maintain(), Maintained::Idle);
        assert_eq!(host.busy.load(Ordering::SeqCst), 1);
        assert_eq!(store.query(Note::all().count()).unwrap(), 1);
        store.commit(note(2, 10)).unwrap();
        assert_eq!(host.busy.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn closing_twice_is_closing_once() {
    for (place, _dir) in places() {
        let (store, _host) = open(&place);
        store.commit(note(1, 1)).unwrap();
        store.engine.close().unwrap();
        store.engine.close().unwrap();
        assert!(matches!(
            store.commit(note(2, 1)).unwrap_err().kind(),
            CommitErrorKind::Store(StoreError::Closed { .. })
        ));
    }
}

#[test]
fn a_store_on_a_network_file_system_is_refused_each_time_and_nothing_is_made() {
    let [(place, dir), _] = places();
    let folders = Folders::new(|_| FileSystem::Network("nfs4".to_owned()));
    let readers = Arc::new(ReaderPool::with_folders(4, folders));
    for _ in 0..2 {
        let refused = Engine::open(request(&place, &Arc::default(), &readers)).unwrap_err();
        assert!(refused.to_string().contains("network file system (nfs4)"), "{refused}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn by_default_commits_survive_the_process_and_power_syncs_each_also_after_idleness() {
    let synchronous = |store: &Store<NoteStore>| {
        let mut slot = store.engine.lock_writer();
        slot.as_mut().unwrap().connection.integer("PRAGMA synchronous", &[]).unwrap()
    };
    for (durability, value) in [(None, 1), (Some(Durability::Power), 2)] {
        let (place, _dir) = on_disk();
        let mut request = request(&place, &Arc::default(), &Arc::new(ReaderPool::new(4)));
        assert_eq!(request.options.durability, Durability::Process);
        let options = Arc::make_mut(&mut request.options);
        options.durability = durability.unwrap_or(options.durability);
        let store = Store::<NoteStore>::new(Engine::open(request).unwrap().0);
        store.commit(note(1, 1)).unwrap();
        assert_eq!(synchronous(&store), Some(value));
        while store.engine.maintain() != Maintained::Idle {}
        assert_eq!(synchronous(&store), Some(value), "an idle store has another connection");
    }
}
