//! A process that was killed while it made a store leaves nothing in the way of the next one.

use std::fs;

use larder_tests::{
    lab::{Lab, with_ending},
    notebook::{Note, Notebook, written},
};

/// A file as it is before its tables are committed: an SQLite database in WAL mode with nothing in it, and a lock file that says nothing.
#[tokio::test]
async fn a_store_that_was_killed_while_it_was_made_begins_anew() {
    let mut lab = Lab::on_disk();
    drop(lab.open::<Notebook>().await);
    lab.close().await;
    let file = lab.store_file("notebook");
    fs::remove_file(&file).unwrap();
    let empty = rusqlite::Connection::open(&file).unwrap();
    empty.pragma_update(None, "journal_mode", "wal").unwrap();
    empty.close().unwrap();
    fs::write(with_ending(&file, ".lock"), "").unwrap();

    let store = lab.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    assert_eq!(store.query(Note::all().count()).unwrap(), 1);
}

/// Power was lost before the first page was on disk: the file system knows the file's length, and has zeros for its bytes.
#[tokio::test]
async fn a_store_that_lost_power_while_it_was_made_begins_anew() {
    let mut lab = Lab::on_disk();
    drop(lab.open::<Notebook>().await);
    lab.close().await;
    let file = lab.store_file("notebook");
    fs::write(&file, [0; 4_096]).unwrap();
    fs::write(with_ending(&file, ".lock"), "").unwrap();

    let store = lab.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    assert_eq!(store.query(Note::all().count()).unwrap(), 1);
}

/// The tables are committed, to the `-wal` alone, and the lock file does not say yet that the store is open.
#[tokio::test]
async fn a_store_that_was_killed_just_after_it_was_made_is_opened() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    let file = lab.store_file("notebook");
    let kept = ["", "-wal"].map(|ending| fs::read(with_ending(&file, ending)).unwrap());
    drop(store);
    lab.close().await;
    for (ending, bytes) in ["", "-wal"].iter().zip(kept) {
        fs::write(with_ending(&file, ending), bytes).unwrap();
    }
    fs::write(with_ending(&file, ".lock"), "").unwrap();

    let store = lab.open::<Notebook>().await;
    assert_eq!(store.head().to_string(), "e0");
    store.commit(written(1)).unwrap();
    assert!(store.verify().unwrap().is_sound());
}
