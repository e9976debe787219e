//! What a load tells: progress, the report, spans; and the tools for tests of materializers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use larder::{Migration, RebuildReason, prelude::*, testing::given};

use super::support::*;

mod v2 {
    use std::sync::Mutex;

    use super::super::support::{Note, NoteEvent};
    use larder::prelude::*;

    pub(crate) static REPORTS: Mutex<Vec<larder::MigrationsReport>> = Mutex::new(Vec::new());

    #[derive(StoreSchema)]
    #[schema(events = NoteEvent, tables(Note), version = 2)]
    pub(crate) struct NoteSchema;

    #[larder::materializer]
    impl Materializer for NoteSchema {
        fn materialize(event: &NoteEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
            match event {
                NoteEvent::Written { number, text } => {
                    tables.insert(Note { number: *number, text: text.to_uppercase() })
                }
            }
        }
    }

    larder::define_store! {
        /// The next version of the notes.
        pub(crate) NoteStore {
            name: "note",
            schema: NoteSchema,
            adapter: SqliteAdapter::persisted(),
            on_load: note_report,
        }
    }

    async fn note_report(_: &Store<NoteStore>, context: LoadContext) -> Result<(), larder::BoxError> {
        REPORTS.lock().unwrap().push(context.migrations_report().clone());
        Ok(())
    }
}

#[tokio::test]
async fn a_changed_schema_is_rebuilt_with_progress_and_a_report_for_on_load() {
    let dir = tempfile::tempdir().unwrap();
    let first = StoreRegistry::builder().data_dir(dir.path()).build().unwrap();
    let handle = first.get::<NoteStore>("n").await.unwrap();
    handle.commit((0..500).map(written).collect::<Vec<_>>()).unwrap();
    first.shutdown(Duration::from_secs(5)).await;

    let second = StoreRegistry::builder().data_dir(dir.path()).build().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    let get = second.get::<v2::NoteStore>("n").progress(move |progress| listener.lock().unwrap().push(progress));
    let handle = get.await.unwrap();
    assert_eq!(handle.query(Note::by_key(7)).unwrap().unwrap().text, "NOTE 7");
    let last = heard.lock().unwrap().last().copied().unwrap();
    assert_eq!((last.done, last.total), (500, 500));
    let report = v2::REPORTS.lock().unwrap().pop().unwrap();
    assert!(matches!(report.migration, Migration::Rebuilt(RebuildReason::SchemaChanged { .. })));
    assert_eq!(report.applied, 500);
    second.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn given_when_then_says_what_a_materializer_does() {
    given::<NoteStore>([written(1)])
        .when([written(2), written(3)])
        .then(Note::all().count(), 3)
        .then(Note::by_key(3), Some(Note { number: 3, text: "note 3".to_owned() }));
    let before = given::<NoteStore>([written(1)]).when(written(1)).then_fails("already");
    assert_eq!(before.store().query(Note::all()).unwrap().len(), 1);
}

#[test]
#[should_panic(expected = "the query answers something else")]
fn given_when_then_fails_the_test_when_it_is_not_so() {
    given::<NoteStore>([]).when(written(1)).then(Note::all(), Vec::new());
}

#[tokio::test]
async fn the_log_is_asserted_as_a_sequence() {
    let bench = Bench::new();
    let handle = bench.get::<NoteStore>("n").await.unwrap();
    handle.commit([written(1), written(2)]).unwrap();
    handle.commit(written(3)).unwrap();
    assert!(handle.commit(written(3)).is_err());
    drop(handle);
    bench.advance(60).await;
    assert_eq!(
        bench.log().take(),
        [
            "loading note/n",
            "loaded note/n",
            "committed 2 note/n",
            "committed 1 note/n",
            "evicted note/n (gc)",
            "closed note/n"
        ]
    );
}
