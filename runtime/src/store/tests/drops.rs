//! Dropping a handle, a future or the registry hands the work over: it waits for nobody who holds the store.

use std::{sync::mpsc, thread, time::Duration};

use super::*;
use crate::{GcTime, StoreRegistry};

/// Runs `drops` on a thread of its own. Whoever waits here for a lock that the test holds would wait for ever.
fn at_once(what: &str, drops: impl FnOnce() + Send + 'static) {
    let (done, at_end) = mpsc::channel();
    let thread = thread::spawn(move || {
        drops();
        done.send(()).unwrap();
    });
    assert!(at_end.recv_timeout(Duration::from_secs(60)).is_ok(), "dropping {what} waits for the store");
    thread.join().unwrap();
}

#[test]
fn drops_never_wait_for_a_commit_for_maintenance_or_for_a_close() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _entered = runtime.enter();
    for evicted_before in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let open = || StoreRegistry::builder().data_dir(dir.path()).build().unwrap();
        let registry = open();
        let handle = runtime.block_on(registry.get::<NoteStore>("n").gc_time(GcTime::seconds(0))).unwrap();
        handle.commit(note(1, 1)).unwrap();
        let engine = Arc::clone(&handle.engine);
        // A commit holds the one, whoever checkpoints the other, and a close waits for both.
        let (writer, maintenance) = (engine.lock_writer(), engine.maintenance.lock().unwrap());
        if evicted_before {
            let evicting = registry.evict::<NoteStore>("n");
            at_once("an eviction in progress", || drop(evicting));
        }
        let stream = handle.events(EventNumber::ZERO);
        let clone = handle.clone();
        at_once("a stream and one of two handles", || drop((stream, clone)));
        at_once("the last handle", || drop(handle));
        at_once("the registry", || drop(registry));
        drop((writer, maintenance));
        drop(engine);
        let again = open();
        let mut loaded = runtime.block_on(again.get::<NoteStore>("n"));
        while matches!(loaded, Err(crate::LoadError::Locked { .. })) {
            // The store of the first registry is closing now that it can.
            loaded = runtime.block_on(again.get::<NoteStore>("n"));
        }
        assert_eq!(loaded.unwrap().query(Note::all()).unwrap().len(), 1, "evicted before: {evicted_before}");
    }
}
