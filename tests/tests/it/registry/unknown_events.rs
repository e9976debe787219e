//! What the log says of events that a newer app has committed.

use larder::{StoreOptions, UnknownEvents, prelude::*};

use super::{support::*, telemetry};

/// The app of tomorrow.
mod newer {
    use super::super::support::Note;
    use larder::prelude::*;

    #[derive(Event, Clone, Debug, PartialEq)]
    pub(super) enum NoteEvent {
        #[event(name = "v1.NoteWritten")]
        Written { number: i64, text: String },
        #[event(name = "v1.NotePinned")]
        Pinned { why: String },
        #[event(name = "v1.NoteUnpinned")]
        Unpinned,
    }

    #[derive(StoreSchema)]
    #[schema(events = NoteEvent, tables(Note), version = 1)]
    pub(super) struct NoteSchema;

    #[larder::materializer]
    impl Materializer for NoteSchema {
        fn materialize(event: &NoteEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
            match event {
                NoteEvent::Written { number, text } => tables.insert(Note { number: *number, text: text.clone() }),
                NoteEvent::Pinned { .. } | NoteEvent::Unpinned => Ok(()),
            }
        }
    }

    larder::define_store! {
        /// Notes that can be pinned.
        pub(super) NoteStore { name: "note", schema: NoteSchema, adapter: SqliteAdapter::persisted() }
    }
}

/// Commits as the newer app, loads twice as this one: what was logged about the store, as name and count of each unknown event.
async fn logged(id: &str, policy: UnknownEvents) -> Vec<(String, String)> {
    telemetry::read();
    let dir = tempfile::tempdir().unwrap();
    let registry = |options| StoreRegistry::builder().data_dir(dir.path()).defaults(options).build().unwrap();
    let first = registry(StoreOptions::new());
    let handle = first.get::<newer::NoteStore>(id).await.unwrap();
    let pinned = || newer::NoteEvent::Pinned { why: "canary-unknown".to_owned() };
    let written = newer::NoteEvent::Written { number: 1, text: String::new() };
    handle.commit([written, pinned(), newer::NoteEvent::Unpinned, pinned()]).unwrap();
    drop(handle);
    assert!(first.shutdown(std::time::Duration::from_secs(30)).await.is_clean());
    for rebuilt in [true, false] {
        let registry = registry(StoreOptions::new().unknown_events(policy));
        let handle = registry.get::<NoteStore>(id).await.unwrap();
        assert_eq!((handle.migrations_report().rebuilt(), handle.head()), (rebuilt, "e4".parse().unwrap()));
        assert_eq!(handle.query(Note::all()).unwrap().len(), 1);
        drop(handle);
        assert!(registry.shutdown(std::time::Duration::from_secs(30)).await.is_clean());
    }
    let seen = telemetry::spans("WARN", id);
    assert!(!format!("{seen:?}").contains("canary"), "an argument is in the log");
    assert!(
        seen.iter().all(|event| event.fields["store"] == "note" && event.fields["message"].contains("does not know"))
    );
    seen.into_iter().map(|event| (event.fields["event"].clone(), event.fields["events"].clone())).collect()
}

#[tokio::test]
async fn unknown_events_are_warned_of_once_per_name_and_load() {
    let each =
        [("v1.NotePinned", "2"), ("v1.NoteUnpinned", "1")].map(|(name, events)| (name.to_owned(), events.to_owned()));
    let found = logged("unknown-warned", UnknownEvents::Warn).await;
    assert_eq!(found, [each.clone(), each].concat());
}

#[tokio::test]
async fn unknown_events_that_are_ignored_leave_no_word_in_the_log() {
    assert_eq!(logged("unknown-ignored", UnknownEvents::Ignore).await, []);
}
