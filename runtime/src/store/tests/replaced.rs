//! Another file in the place of an open one.
#![cfg(unix)]

use std::path::{Path, PathBuf};

use super::*;

/// Moves the file away and puts a file with some bytes in its place, with a `-wal` of its own.
fn replace(path: &Path) -> PathBuf {
    let aside = path.with_extension("aside");
    std::fs::rename(path, &aside).unwrap();
    std::fs::write(path, b"another").unwrap();
    aside
}

/// The store has stopped, and closing it leaves the other file as it is.
fn assert_stopped(store: &Store<NoteStore>, host: &Ears, path: &Path) {
    let error = store.query(Note::all()).unwrap_err();
    assert!(error.to_string().contains("its file is gone, or another is in its place"), "{error}");
    assert!(store.commit(note(9, 1)).is_err());
    assert_eq!(host.stopped.lock().unwrap().len(), 1);
    store.engine.close().unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"another");
}

#[test]
fn a_read_that_would_open_another_file_stops_the_store() {
    let (place, dir) = on_disk();
    let (store, host) = open(&place);
    store.commit(note(1, 1)).unwrap();
    let path = dir.path().join("a.db");
    replace(&path);
    assert_stopped(&store, &host, &path);
}

#[test]
fn maintenance_that_would_open_another_file_stops_the_store() {
    let (place, dir) = on_disk();
    let (store, host) = open(&place);
    store.commit(note(1, 1)).unwrap();
    let path = dir.path().join("a.db");
    replace(&path);
    while store.engine.maintain() != Maintained::Idle {}
    assert_eq!(host.stopped.lock().unwrap().len(), 1);
    assert_stopped(&store, &host, &path);
}
