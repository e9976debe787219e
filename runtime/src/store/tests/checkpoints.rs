//! Checkpoints: when the `-wal` is moved into the file, as the `-shm` has it, and when it is not.

use super::*;
use crate::store::{MergeError, Merged, Upstream};
use crate::{
    storage::kept::index_bytes,
    storage::{sqlite::Connection, wal::WalIndex},
};

/// Frames of the `-wal` up to the last commit, and how many of them are in the file.
fn index(place: &Place) -> (u32, u32) {
    let Place::File(path) = place else { panic!("memory has no `-wal`") };
    let index = WalIndex::parse(&index_bytes(path).unwrap()).unwrap();
    (index.frames, index.moved)
}

fn until_idle(store: &Store<NoteStore>) {
    while store.engine.maintain() != Maintained::Idle {}
}

#[test]
fn an_idle_store_moves_its_wal_into_the_file() {
    let (place, _dir) = on_disk();
    let (store, _host) = open(&place);
    store.commit(note(1, 10_000)).unwrap();
    let (frames, moved) = index(&place);
    assert!(frames > 0 && moved == 0, "{moved} of {frames}");
    until_idle(&store);
    assert_eq!(index(&place), (frames, frames));
}

#[test]
fn what_a_reader_keeps_in_the_wal_is_moved_by_the_next_idleness() {
    let (place, _dir) = on_disk();
    let (store, _host) = open(&place);
    store.commit(note(1, 10)).unwrap();
    store
        .read(|snapshot| {
            snapshot.query(Note::all())?;
            std::thread::scope(|scope| scope.spawn(|| store.commit(note(2, 10_000)).map(drop)).join().unwrap())
                .unwrap();
            until_idle(&store);
            let (frames, moved) = index(&place);
            assert!(moved < frames, "{moved} of {frames}");
            Ok(())
        })
        .unwrap();
    store.query(Note::all()).unwrap();
    until_idle(&store);
    let (frames, moved) = index(&place);
    assert_eq!(moved, frames);
}

#[test]
fn past_4_mib_the_wal_is_moved_in_the_background() {
    let (place, _dir) = on_disk();
    let (store, _host) = open(&place);
    for number in 1..=25 {
        store.commit(note(number, 200_000)).unwrap();
    }
    while store.engine.lock_writer().as_ref().unwrap().wal.is_scheduled() {
        std::thread::yield_now();
    }
    let (frames, moved) = index(&place);
    assert!(frames > 1_024 && moved >= 1_024, "{moved} of {frames}");
}

/// Lets the next load find tables of another schema.
fn forget_tables(place: &Place) {
    let access = crate::storage::sqlite::Access::Writer { create: false, durability: crate::Durability::Process };
    let mut connection = Connection::open(place, access).unwrap();
    connection.batch("UPDATE larder_meta SET value = zeroblob(16) WHERE key = 'fingerprint'").unwrap();
    connection.close().unwrap();
}

#[test]
fn a_rebuild_leaves_nothing_to_move_for_a_commit() {
    let (place, _dir) = on_disk();
    let (store, _host) = open(&place);
    store.commit((1..=40).map(|number| note(number, 100_000)).collect::<Vec<_>>()).unwrap();
    store.engine.close().unwrap();
    forget_tables(&place);
    let (store, _host) = open(&place);
    assert!(store.migrations_report().rebuilt());
    let (frames, moved) = index(&place);
    assert!(frames > 512 && moved == frames, "{moved} of {frames}");
    store.commit(note(100, 10)).unwrap();
    assert!(index(&place).0 < 20, "the `-wal` is begun anew: {:?}", index(&place));
}

/// The backend has all events that are unsent.
fn confirm(store: &Store<NoteStore>) -> Result<Merged, MergeError> {
    let unsent = store.engine.unsent(None, 9).unwrap();
    store.engine.merge(&unsent.events, Upstream::of("a log"))
}

#[test]
fn a_poisoned_store_moves_nothing_and_a_confirmation_says_why() {
    let (place, _dir) = on_disk();
    let (store, _host) = open(&place);
    store.commit(note(1, 10)).unwrap();
    let before = index(&place);
    store.engine.notice_write(&SqliteError::new(SqliteErrorKind::SyncFailed, "disk I/O error"));
    until_idle(&store);
    let refused = store.commit(note(2, 10)).unwrap_err();
    assert!(matches!(refused.kind(), CommitErrorKind::Store(StoreError::Poisoned { .. })), "{refused}");
    assert_eq!(index(&place), before);
    assert!(matches!(confirm(&store), Err(MergeError::Store(StoreError::Poisoned { .. }))));
}

#[test]
fn a_confirmation_that_cannot_be_written_is_a_failure_of_a_store_that_goes_on() {
    for (place, _dir) in places() {
        let (store, host) = open(&place);
        store.commit(note(1, 10)).unwrap();
        let query_only = |on| {
            let mut slot = store.engine.lock_writer();
            slot.as_mut().unwrap().connection.batch(&format!("PRAGMA query_only = {on}")).unwrap();
        };
        query_only(true);
        let failed = confirm(&store).unwrap_err();
        assert!(matches!(failed, MergeError::Store(StoreError::Storage { .. })), "{failed:?}");
        assert!(host.stopped.lock().unwrap().is_empty());
        query_only(false);
        confirm(&store).unwrap();
        store.commit(note(2, 10)).unwrap();
    }
}

/// What the disk did with it is not known: only the next opener, who looks at every checksum, may move it.
#[test]
fn a_poisoned_store_is_closed_with_its_wal_as_it_is() {
    let (place, _dir) = on_disk();
    let (store, _host) = open(&place);
    store.commit(note(1, 10)).unwrap();
    let Place::File(path) = &place else { panic!("a file") };
    let left = || (std::fs::read(path).unwrap(), std::fs::read(crate::storage::lock::beside(path, "-wal")).unwrap());
    let before = left();
    store.engine.notice_write(&SqliteError::new(SqliteErrorKind::SyncFailed, "disk I/O error"));
    store.engine.close().unwrap();
    assert!(left() == before, "closing has changed a file");
    let (store, _host) = open(&place);
    assert_eq!(store.query(Note::all().count()).unwrap(), 1);
    store.commit(note(2, 10)).unwrap();
}
