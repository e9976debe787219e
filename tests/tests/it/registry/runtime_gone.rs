//! Handles that outlive the tokio runtime their registry was built on: a store that stops then is closed without it.

use std::{fs::File, path::PathBuf, sync::mpsc, time::Duration};

use larder::{CommitErrorKind, QueryErrorKind, StoreError, prelude::*};

use super::support::*;

/// A registry whose runtime is gone, with a store that was closed and loaded again, and its file.
fn orphan(dir: &std::path::Path) -> (StoreRegistry, StoreHandle<NoteStore>, PathBuf) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let orphan = runtime.block_on(async {
        let registry = StoreRegistry::builder().data_dir(dir).build().unwrap();
        let store = registry.get::<NoteStore>("n").await.unwrap();
        store.commit((1..=100).map(written).collect::<Vec<_>>()).unwrap();
        registry.evict::<NoteStore>("n").await.unwrap();
        let store = registry.get::<NoteStore>("n").await.unwrap();
        let file = registry.stored::<NoteStore>().await.unwrap().remove(0).file;
        (registry, store, file)
    });
    drop(runtime);
    orphan
}

/// What a call comes to that must come to an end.
fn in_time<R: Send + 'static>(call: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(call()));
    receiver.recv_timeout(Duration::from_secs(60)).expect("the call never ends")
}

#[test]
fn rule_8_a_commit_that_finds_the_file_damaged_when_the_runtime_is_gone_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (_registry, store, file) = orphan(dir.path());
    File::options().write(true).open(file).unwrap().set_len(4_096).unwrap();
    let error = in_time(move || store.commit((101..=200).map(written).collect::<Vec<_>>()).unwrap_err());
    assert!(matches!(error.kind(), CommitErrorKind::Store(StoreError::Stopped { .. })), "{error}");
}

#[test]
fn rule_8_a_read_that_finds_the_file_gone_when_the_runtime_is_gone_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (_registry, store, file) = orphan(dir.path());
    std::fs::remove_file(file).unwrap();
    let error = in_time(move || store.query(Note::all()).unwrap_err());
    assert!(matches!(error.kind(), QueryErrorKind::Store(StoreError::Stopped { .. })), "{error}");
}

#[test]
fn rule_6_a_read_that_evicts_its_own_store_when_the_runtime_is_gone_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (registry, store, _) = orphan(dir.path());
    let read = in_time(move || {
        store.read(|_| {
            drop(registry.evict::<NoteStore>("n"));
            Ok(())
        })
    });
    assert!(read.is_ok() || matches!(read.unwrap_err().kind(), QueryErrorKind::Store(_)));
}
