//! Reads: what was committed is there, several on one state, never behind the writer.

use std::{sync::mpsc, time::Duration};

use larder::{EventNumber, QueryError, QueryErrorKind, StoreError, prelude::*};
use larder_tests::{
    lab::Lab,
    notebook::{Line, Note, NoteEvent, Notebook, in_materializer, note, written},
};

#[tokio::test]
async fn a_read_sees_every_commit_that_has_returned() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        for number in 1..=50 {
            store.commit(written(number)).unwrap();
            assert_eq!(store.query(Note::by_key(number)).unwrap(), Some(note(number)));
        }
    }
}

#[tokio::test]
async fn read_runs_several_queries_on_one_consistent_state() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    let other = store.clone();
    store
        .read(|snapshot| {
            assert_eq!((snapshot.query(Note::all())?, snapshot.head()?), (vec![note(1)], EventNumber::synced(1)));
            std::thread::scope(|scope| scope.spawn(|| other.commit(written(2)).map(drop)).join().unwrap()).unwrap();
            assert_eq!((snapshot.query(Note::all())?, snapshot.head()?), (vec![note(1)], EventNumber::synced(1)));
            Ok(())
        })
        .unwrap();
    assert_eq!(store.query(Note::all().count()).unwrap(), 2);
}

#[tokio::test]
async fn a_tuple_of_queries_is_one_state() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        store.commit([written(1), NoteEvent::LineAdded { note: 1, at: 0 }]).unwrap();
        let (notes, lines) = store.query((Note::all().count(), Line::all().count())).unwrap();
        assert_eq!((notes, lines), (1, 1));
    }
}

#[tokio::test]
async fn a_commit_from_inside_read_is_an_error_never_a_deadlock() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let inner = store.clone();
        let kind = store.read(|_| Ok(inner.commit(written(1)).unwrap_err().to_string())).unwrap();
        assert!(kind.contains("from inside a `read` of it"), "{kind}");
        assert_eq!(store.head(), EventNumber::ZERO);
    }
}

#[tokio::test]
async fn in_memory_a_query_beside_the_snapshot_is_an_error_never_a_deadlock() {
    let mut lab = Lab::in_memory();
    let store = lab.open::<Notebook>().await;
    let inner = store.clone();
    store
        .read(|_| {
            assert_eq!(inner.query(Note::all()).map_err(QueryError::into_kind), Err(QueryErrorKind::Reentrant));
            Ok(())
        })
        .unwrap();
    store.query(Note::all()).unwrap();
}

#[tokio::test]
async fn a_panic_inside_read_leaves_the_store_usable() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let panicking = std::panic::AssertUnwindSafe(|| store.read(|_| -> Result<(), QueryError> { panic!("inside") }));
        assert!(std::panic::catch_unwind(panicking).is_err());
        store.commit(written(1)).unwrap();
        assert_eq!(store.query(Note::all()).unwrap(), [note(1)]);
    }
}

/// Does `work` in the middle of a commit of a second note: its row is written and not committed.
fn during_a_commit(store: &StoreHandle<Notebook>, work: impl FnOnce()) {
    let (entered, at_entry) = mpsc::channel();
    let (release, at_release) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let writer = store.clone();
        scope.spawn(move || {
            let hook = move || {
                entered.send(()).unwrap();
                at_release.recv().unwrap();
            };
            in_materializer(hook, || writer.commit([written(2), NoteEvent::Hooked])).unwrap();
        });
        at_entry.recv().unwrap();
        work();
        release.send(()).unwrap();
    });
}

#[tokio::test]
async fn reads_never_wait_for_the_writer() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    during_a_commit(&store, || {
        assert_eq!(store.query(Note::all()).unwrap(), [note(1)]);
        assert_eq!(store.head(), EventNumber::synced(1));
    });
    assert_eq!(store.query(Note::all().count()).unwrap(), 2);
}

#[tokio::test]
async fn an_eviction_interrupts_running_reads() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        store.commit((1..=400).map(written).collect::<Vec<_>>()).unwrap();
        let registry = lab.registry().clone();
        let (started, at_start) = mpsc::channel();
        let reader = store.clone();
        let reading = std::thread::spawn(move || {
            reader.read(|snapshot| {
                started.send(()).unwrap();
                // Each is short; together they would go on for ever.
                loop {
                    snapshot.query(Note::all())?;
                }
                #[expect(unreachable_code)]
                Ok(())
            })
        });
        at_start.recv().unwrap();
        tokio::time::timeout(Duration::from_secs(30), registry.evict::<Notebook>("book:1")).await.unwrap().unwrap();
        let error = reading.join().unwrap().unwrap_err();
        assert!(
            matches!(error.kind(), QueryErrorKind::Interrupted | QueryErrorKind::Store(StoreError::Evicted { .. })),
            "{error}"
        );
        let gone = store.query(Note::all()).unwrap_err();
        assert!(matches!(gone.kind(), QueryErrorKind::Store(StoreError::Evicted { .. })), "{gone}");
        assert!(matches!(
            store.commit(written(1)).unwrap_err().kind(),
            larder::CommitErrorKind::Store(StoreError::Evicted { .. })
        ));
    }
}

#[tokio::test]
async fn when_all_readers_are_in_use_one_more_serves() {
    let lab = Lab::on_disk();
    let registry = StoreRegistry::builder().data_dir(lab.data_dir()).reader_connections(1).build().unwrap();
    let store = registry.get::<Notebook>("book:1").await.unwrap();
    store.commit(written(1)).unwrap();
    store
        .read(|_| {
            // The one reader is in use here, by this thread, which waits for the other one.
            let asked = std::thread::scope(|scope| scope.spawn(|| store.query(Note::all())).join().unwrap());
            assert_eq!(asked?, [note(1)]);
            Ok(())
        })
        .unwrap();
    let other = registry.get::<Notebook>("book:2").await.unwrap();
    assert_eq!(other.query(Note::all()).unwrap(), []);
    assert_eq!(store.query(Note::all()).unwrap(), [note(1)]);
}

#[tokio::test]
async fn reads_never_wait_for_the_writer_when_all_readers_are_in_use() {
    let lab = Lab::on_disk();
    let registry = StoreRegistry::builder().data_dir(lab.data_dir()).reader_connections(1).build().unwrap();
    let store = registry.get::<Notebook>("book:1").await.unwrap();
    store.commit(written(1)).unwrap();
    during_a_commit(&store, || {
        store
            .read(|_| {
                // The one reader is here, the store's own connection in the commit.
                let asked = std::thread::scope(|scope| scope.spawn(|| store.query(Note::all())).join().unwrap());
                assert_eq!(asked?, [note(1)]);
                Ok(())
            })
            .unwrap();
    });
}

#[tokio::test]
async fn a_query_inside_read_of_a_file_store_is_never_reentrant() {
    let lab = Lab::on_disk();
    let registry = StoreRegistry::builder().data_dir(lab.data_dir()).reader_connections(1).build().unwrap();
    let store = registry.get::<Notebook>("book:1").await.unwrap();
    store.commit(written(1)).unwrap();
    let inner = store.read(|_| store.read(|_| store.query(Note::all())));
    assert_eq!(inner.unwrap(), [note(1)]);
}

#[tokio::test]
async fn a_snapshot_stays_one_state_while_commits_of_other_threads_go_on() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = store.clone();
            let done = &done;
            scope.spawn(move || {
                for number in 1.. {
                    writer.commit([written(number), NoteEvent::LineAdded { note: number, at: 1 }]).unwrap();
                    if done.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                }
            });
            for _ in 0..200 {
                let (first, lines, head, second) = store
                    .read(|snapshot| {
                        let first = snapshot.query(Note::all().count())?;
                        std::thread::yield_now();
                        let lines = snapshot.query(Line::all().count())?;
                        Ok((first, lines, snapshot.head()?, snapshot.query(Note::all().count())?))
                    })
                    .unwrap();
                assert_eq!(
                    (first, first, first * 2),
                    (lines, second, i64::try_from(head.global()).unwrap().unsigned_abs())
                );
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}

/// What a row decodes to that tells the test of itself.
struct Beat;

static BEATS: std::sync::Mutex<Option<mpsc::Sender<()>>> = std::sync::Mutex::new(None);

impl larder::ColumnValue for Beat {
    const TYPE: larder::ColumnType = <i64 as larder::ColumnValue>::TYPE;

    fn encode(&self) -> Result<larder::Encoded<'_>, larder::ValueError> {
        Ok(larder::Encoded::Integer(0))
    }

    fn decode(_: larder::ValueRef<'_>) -> Result<Self, larder::ValueError> {
        BEATS.lock().unwrap().iter().for_each(|beats| beats.send(()).unwrap());
        Ok(Self)
    }
}

larder::define_store! {
    /// Notes, and a question without an end.
    EndlessStore {
        name: "endless",
        schema: larder_tests::notebook::NotebookSchema,
        adapter: SqliteAdapter::persisted(),

        queries {
            /// One row, and then a search for another that is not there.
            fn endless() -> Vec<(Beat,)> =
                "WITH RECURSIVE forever (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever) SELECT n FROM forever WHERE n < 2";
        }
    }
}

#[tokio::test]
async fn an_eviction_interrupts_a_query_that_runs_for_ever() {
    for mut lab in Lab::both() {
        let store = lab.open::<EndlessStore>().await;
        let (begun, at_begin) = mpsc::channel();
        *BEATS.lock().unwrap() = Some(begun);
        let reading = std::thread::spawn(move || store.query(EndlessStore::endless()).map(|rows| rows.len()));
        at_begin.recv().unwrap();
        lab.registry().evict::<EndlessStore>("book:1").await.unwrap();
        let error = reading.join().unwrap().unwrap_err();
        assert!(matches!(error.kind(), QueryErrorKind::Interrupted | QueryErrorKind::Store(_)), "{error}");
    }
}
