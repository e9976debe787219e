//! Rules 6 and 10 while a store is busy: what goes on is ended or interrupted, and nobody who lets go waits for it.

use larder::{CommitErrorKind, GcTime, QueryErrorKind, StoreError, StoreState};

use super::support::*;

#[tokio::test]
async fn rule_06_an_eviction_interrupts_reads_and_lets_a_commit_in_progress_end() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()));
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit((0..100).map(written).collect::<Vec<_>>()).unwrap();
    let (begins, begun) = std::sync::mpsc::channel();
    let (reader, writer) = (handle.clone(), handle.clone());
    let begins_too = begins.clone();
    let reading = std::thread::spawn(move || {
        reader.read(|snapshot| {
            begins.send(()).unwrap();
            loop {
                snapshot.query(Note::all())?;
            }
            #[expect(unreachable_code)]
            Ok(())
        })
    });
    let writing = std::thread::spawn(move || {
        begins_too.send(()).unwrap();
        (100..).find_map(|number| writer.commit(written(number)).err().map(|error| (number, error))).unwrap()
    });
    begun.recv().unwrap();
    begun.recv().unwrap();
    bench.evict::<NoteStore>("n").await.unwrap();
    let read = reading.join().unwrap().unwrap_err();
    assert!(
        matches!(read.kind(), QueryErrorKind::Interrupted | QueryErrorKind::Store(StoreError::Evicted { .. })),
        "{read}"
    );
    let (next, refused) = writing.join().unwrap();
    assert!(matches!(refused.kind(), CommitErrorKind::Store(StoreError::Evicted { .. })), "{refused}");
    // What was in progress has ended, wholly: all that came before the refused one are there.
    let again = bench.get::<NoteStore>("n").await.unwrap();
    assert_eq!(i64::try_from(again.query(Note::all().count()).unwrap()).unwrap(), next);
}

#[test]
fn rule_10_dropping_the_last_handle_or_the_registry_waits_for_nobody() {
    // One blocking thread that is occupied, so that no file can be closed.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let bench = Bench::with(|builder| builder.data_dir(dir.path()));
        let handle = bench.get::<NoteStore>("handle").gc_time(GcTime::ZERO).await.unwrap();
        let other = bench.get::<NoteStore>("registry").await.unwrap();
        handle.commit(written(1)).unwrap();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let occupied = tokio::task::spawn_blocking(move || gone.recv());
        drop(handle);
        assert_eq!(bench.stats_of("note", "handle").state, StoreState::Closing);
        let (clock, registry) = bench.into_parts();
        drop(registry);
        assert!(matches!(
            other.commit(written(1)).unwrap_err().kind(),
            CommitErrorKind::Store(StoreError::Closed { .. })
        ));
        let elsewhere = super::support::registry(dir.path());
        go.send(()).unwrap();
        occupied.await.unwrap().unwrap();
        clock.settle().await;
        assert!(
            elsewhere.get::<NoteStore>("handle").await.is_ok() && elsewhere.get::<NoteStore>("registry").await.is_ok()
        );
    });
}
