//! Evolution: what happens to a store when its app changes, in both directions.

use std::sync::Mutex;

use larder::{LoadError, LogChange, Migration, RebuildReason, StoreOptions, StoredEvent, UnknownEvents};
use larder_tests::lab::Lab;

/// The app as it was first.
mod v1 {
    use larder::prelude::*;

    #[derive(Table, Clone, Debug, PartialEq)]
    #[table(name = "tasks")]
    pub(crate) struct Task {
        #[table(primary_key)]
        pub(crate) number: i64,
        pub(crate) title: String,
    }

    #[derive(Event, Clone, Debug, PartialEq)]
    pub(crate) enum TaskEvent {
        #[event(name = "v1.TaskAdded")]
        Added { number: i64, title: String },
    }

    #[derive(StoreSchema)]
    #[schema(events = TaskEvent, tables(Task), version = 1)]
    pub(crate) struct TaskSchema;

    #[larder::materializer]
    impl Materializer for TaskSchema {
        fn materialize(event: &TaskEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
            let TaskEvent::Added { number, title } = event;
            tables.insert(Task { number: *number, title: title.clone() })
        }
    }

    larder::define_store! {
        pub(crate) Tasks { name: "tasks", schema: TaskSchema, adapter: SqliteAdapter::persisted() }
    }

    pub(crate) fn added(number: i64, title: &str) -> TaskEvent {
        TaskEvent::Added { number, title: title.to_owned() }
    }
}

/// The same app with a mended materializer, and nothing else.
mod v1_mended {
    pub(crate) use super::v1::{Task, TaskEvent};
    use larder::prelude::*;

    #[derive(StoreSchema)]
    #[schema(events = TaskEvent, tables(Task), version = 1)]
    pub(crate) struct TaskSchema;

    #[larder::materializer]
    impl Materializer for TaskSchema {
        fn materialize(event: &TaskEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
            let TaskEvent::Added { number, title } = event;
            tables.insert(Task { number: *number, title: title.trim().to_owned() })
        }
    }

    larder::define_store! {
        pub(crate) Tasks { name: "tasks", schema: TaskSchema, adapter: SqliteAdapter::persisted() }
    }
}

/// The same app with the materializer of [`v1`], with docs and comments.
mod v1_reworded {
    pub(crate) use super::v1::{Task, TaskEvent};
    use larder::prelude::*;

    #[derive(StoreSchema)]
    #[schema(events = TaskEvent, tables(Task), version = 1)]
    pub(crate) struct TaskSchema;

    /// Says what it does.
    #[larder::materializer]
    impl Materializer for TaskSchema {
        /// One row a task.
        fn materialize(event: &TaskEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
            // Only one event so far.
            let TaskEvent::Added { number, title } = event;
            tables.insert(Task { number: *number, title: title.clone() })
        }
    }

    larder::define_store! {
        pub(crate) Tasks { name: "tasks", schema: TaskSchema, adapter: SqliteAdapter::persisted() }
    }
}

/// The app later: a new table, another column, a renamed event, a field with a default, an event more.
mod v2 {
    use larder::{prelude::*, serde};

    #[derive(Table, Clone, Debug, PartialEq)]
    #[table(name = "tasks")]
    pub(crate) struct Task {
        #[table(primary_key)]
        pub(crate) number: i64,
        pub(crate) title: String,
        pub(crate) urgent: bool,
    }

    #[derive(Table, Clone, Debug, PartialEq)]
    #[table(name = "counts")]
    pub(crate) struct Tally {
        #[table(primary_key)]
        pub(crate) id: i64,
        pub(crate) added: i64,
    }

    #[derive(Event, Clone, Debug, PartialEq)]
    pub(crate) enum TaskEvent {
        #[event(name = "v2.TaskAdded", from("v1.TaskAdded" = upgrade))]
        Added {
            number: i64,
            title: String,
            #[serde(default)]
            urgent: bool,
        },
        #[event(name = "v1.TaskDone")]
        Done { number: i64 },
    }

    #[derive(serde::Deserialize)]
    #[serde(crate = "larder::serde")]
    pub(crate) struct OldAdded {
        number: i64,
        title: String,
    }

    fn upgrade(old: OldAdded) -> Result<TaskEvent, String> {
        if old.title.is_empty() {
            return Err("a task needs a title".to_owned());
        }
        assert_ne!(old.title, "panic", "an upcaster with a bug");
        Ok(TaskEvent::Added { number: old.number, urgent: old.title.ends_with('!'), title: old.title })
    }

    #[derive(StoreSchema)]
    #[schema(events = TaskEvent, tables(Task, Tally), version = 1)]
    pub(crate) struct TaskSchema;

    #[larder::materializer]
    impl Materializer for TaskSchema {
        fn materialize(event: &TaskEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
            match event {
                TaskEvent::Added { number, title, urgent } => {
                    tables.insert(Task { number: *number, title: title.clone(), urgent: *urgent })?;
                    let before = tables.query(Tally::by_key(1))?.map_or(0, |tally| tally.added);
                    tables.upsert(Tally { id: 1, added: before + 1 })
                }
                TaskEvent::Done { number } => tables.delete(Task::by_key(*number)).run_one(),
            }
        }
    }

    larder::define_store! {
        pub(crate) Tasks { name: "tasks", schema: TaskSchema, adapter: SqliteAdapter::persisted() }
    }
}

/// Another app's definition under the same name.
mod other {
    use larder::prelude::*;

    #[derive(Table, Clone, Debug, PartialEq)]
    #[table(name = "songs")]
    pub(crate) struct Song {
        #[table(primary_key)]
        pub(crate) number: i64,
    }

    #[derive(Event, Clone, Debug, PartialEq)]
    pub(crate) enum SongEvent {
        #[event(name = "v1.SongSung")]
        Sung(i64),
    }

    #[derive(StoreSchema)]
    #[schema(events = SongEvent, tables(Song), version = 1)]
    pub(crate) struct SongSchema;

    #[larder::materializer]
    impl Materializer for SongSchema {
        fn materialize(_: &SongEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
            Ok(())
        }
    }

    larder::define_store! {
        pub(crate) Tasks { name: "tasks", schema: SongSchema, adapter: SqliteAdapter::persisted() }
    }
}

use v1::added;

async fn with_v1(lab: &mut Lab, titles: &[&str]) {
    let store = lab.open::<v1::Tasks>().await;
    for (at, title) in titles.iter().enumerate() {
        store.commit(added(at as i64 + 1, title)).unwrap();
    }
    drop(store);
    lab.close().await;
}

fn task(number: i64, title: &str, urgent: bool) -> v2::Task {
    v2::Task { number, title: title.to_owned(), urgent }
}

#[tokio::test]
async fn a_changed_schema_rebuilds_the_tables_from_the_log_and_old_events_go_through_their_upcasters() {
    let mut lab = Lab::on_disk();
    with_v1(&mut lab, &["wash", "cook!"]).await;
    let store = lab.open::<v2::Tasks>().await;
    let report = store.migrations_report();
    assert!(matches!(report.migration, Migration::Rebuilt(RebuildReason::SchemaChanged { .. })));
    assert_eq!((report.applied, report.failed, report.unknown), (2, 0, 0));
    assert_eq!(store.query(v2::Task::all()).unwrap(), [task(1, "wash", false), task(2, "cook!", true)]);
    assert_eq!(store.query(v2::Tally::by_key(1)).unwrap().map(|tally| tally.added), Some(2));
    let mut events = store.events(larder::EventNumber::ZERO).with_pending();
    let LogChange::Event(first) = events.next().await.unwrap().unwrap() else { panic!("an event") };
    assert_eq!((first.name.as_str(), first.args.as_deref()), ("v1.TaskAdded", Some(r#"{"number":1,"title":"wash"}"#)));
    assert!(store.verify().unwrap().is_sound());
    drop((store, events));
    lab.close().await;
    assert_eq!(lab.open::<v2::Tasks>().await.migrations_report().migration, Migration::Unchanged);
}

#[tokio::test]
async fn an_event_that_fails_at_a_rebuild_stays_in_the_log_is_listed_and_is_tried_again() {
    let mut lab = Lab::on_disk();
    with_v1(&mut lab, &["wash", "", "cook"]).await;
    let store = lab.open::<v2::Tasks>().await;
    assert_eq!((store.migrations_report().applied, store.migrations_report().failed), (2, 1));
    assert_eq!(store.head(), "e3".parse().unwrap());
    let failed = store.failed_events().unwrap();
    assert_eq!((failed.len(), failed[0].event.number.to_string()), (1, "e2".to_owned()));
    assert!(failed[0].reason.contains("a task needs a title"), "{}", failed[0].reason);
    assert_eq!(store.query(v2::Task::all().count()).unwrap(), 2);
    assert!(store.verify().unwrap().is_sound());
    drop(store);
    lab.close().await;
    let store = lab.open::<v1::Tasks>().await;
    assert_eq!((store.failed_events().unwrap(), store.query(v1::Task::all().count()).unwrap()), (Vec::new(), 3));
}

#[tokio::test]
async fn what_failed_and_what_is_unknown_is_in_the_report_of_every_load() {
    let mut lab = Lab::on_disk();
    with_v1(&mut lab, &["wash", "", "cook"]).await;
    for migrations in ["rebuilt", "unchanged"] {
        let store = lab.open::<v2::Tasks>().await;
        let report = store.migrations_report();
        assert_eq!((report.failed, report.unknown, report.rebuilt()), (1, 0, migrations == "rebuilt"));
        drop(store);
        lab.close().await;
    }
    let mut lab = Lab::on_disk();
    with_a_newer_event(&mut lab).await;
    for migrations in ["rebuilt", "unchanged"] {
        let store = lab.open::<v1::Tasks>().await;
        let report = store.migrations_report();
        assert_eq!((report.failed, report.unknown, report.rebuilt()), (0, 1, migrations == "rebuilt"));
        drop(store);
        lab.close().await;
    }
}

#[tokio::test]
async fn a_changed_materializer_rebuilds_by_itself_and_other_docs_do_not() {
    let mut lab = Lab::on_disk();
    with_v1(&mut lab, &[" wash "]).await;
    assert!(!lab.open::<v1_reworded::Tasks>().await.migrations_report().rebuilt());
    lab.close().await;
    let store = lab.open::<v1_mended::Tasks>().await;
    assert!(store.migrations_report().rebuilt());
    assert_eq!(store.query(v1::Task::all()).unwrap()[0].title, "wash");
}

#[tokio::test]
async fn an_upcaster_that_panics_fails_its_event_and_no_other() {
    let mut lab = Lab::on_disk();
    with_v1(&mut lab, &["wash", "panic", "cook"]).await;
    let store = lab.open::<v2::Tasks>().await;
    assert_eq!((store.migrations_report().applied, store.migrations_report().failed), (2, 1));
    let failed = store.failed_events().unwrap();
    assert_eq!((failed.len(), failed[0].event.number.to_string()), (1, "e2".to_owned()));
    assert!(failed[0].reason.contains("an upcaster with a bug"), "{}", failed[0].reason);
    assert!(store.verify().unwrap().is_sound());
}

async fn with_a_newer_event(lab: &mut Lab) {
    with_v1(lab, &["wash", "cook"]).await;
    let store = lab.open::<v2::Tasks>().await;
    store.commit(v2::TaskEvent::Done { number: 1 }).unwrap();
    drop(store);
    lab.close().await;
}

#[tokio::test]
async fn unknown_events_stay_in_the_log_and_are_applied_when_a_later_version_knows_them() {
    let mut lab = Lab::on_disk();
    with_a_newer_event(&mut lab).await;
    let store = lab.open::<v1::Tasks>().await;
    assert_eq!((store.migrations_report().applied, store.migrations_report().unknown), (2, 1));
    assert_eq!(store.query(v1::Task::all().count()).unwrap(), 2);
    store.commit(added(3, "sing")).unwrap();
    assert_eq!(store.head(), "e4".parse().unwrap());
    drop(store);
    lab.close().await;
    let store = lab.open::<v2::Tasks>().await;
    assert_eq!(store.query(v2::Task::all()).unwrap(), [task(2, "cook", false), task(3, "sing", false)]);
}

#[tokio::test]
async fn unknown_events_may_fail_the_load_at_a_rebuild_and_later() {
    let mut lab = Lab::on_disk();
    with_a_newer_event(&mut lab).await;
    let fail = StoreOptions::default().unknown_events(UnknownEvents::Fail);
    lab.set_defaults(fail.clone());
    for _ in 0..2 {
        let error = lab.try_open::<v1::Tasks>().await.unwrap_err();
        let LoadError::UnknownEvent { event, number, .. } = &error else { panic!("{error}") };
        assert_eq!((event.as_str(), number.to_string().as_str()), ("v1.TaskDone", "e3"));
        lab.close().await;
        // Once rebuilt by an app that is content with a warning, the refusal stays.
        lab.set_defaults(StoreOptions::default());
        assert_eq!(lab.open::<v1::Tasks>().await.query(v1::Task::all().count()).unwrap(), 2);
        lab.close().await;
        lab.set_defaults(fail.clone());
    }
}

static SEEN: Mutex<Vec<StoredEvent>> = Mutex::new(Vec::new());

#[tokio::test]
async fn unknown_events_may_be_shown_to_the_app() {
    let mut lab = Lab::on_disk();
    with_a_newer_event(&mut lab).await;
    lab.set_defaults(StoreOptions::default().unknown_events(UnknownEvents::Callback(|event| {
        SEEN.lock().unwrap().push(event.clone());
    })));
    // At the rebuild, at a load that finds the tables built, and when damaged tables are built anew.
    for tables in ["those of another schema", "built", "damaged"] {
        if tables == "damaged" {
            lab.sqlite("tasks").execute_batch("CREATE INDEX of_somebody_else ON tasks (title)").unwrap();
        }
        let store = lab.open::<v1::Tasks>().await;
        assert_eq!(store.migrations_report().rebuilt(), tables != "built");
        let seen = std::mem::take(&mut *SEEN.lock().unwrap());
        assert_eq!(
            (seen.len(), seen[0].name.as_str(), seen[0].args.as_deref()),
            (1, "v1.TaskDone", Some(r#"{"number":1}"#)),
            "tables {tables}"
        );
        drop(store);
        lab.close().await;
    }
}

#[tokio::test]
async fn a_log_without_any_known_event_belongs_to_another_definition() {
    let mut lab = Lab::on_disk();
    with_v1(&mut lab, &["wash"]).await;
    let error = lab.try_open::<other::Tasks>().await.unwrap_err();
    assert!(matches!(error, LoadError::DefinitionConflict { .. }), "{error}");
    lab.close().await;
    assert_eq!(lab.open::<v1::Tasks>().await.query(v1::Task::all().count()).unwrap(), 1);
}

#[tokio::test]
async fn an_empty_store_of_another_schema_is_taken_over() {
    let mut lab = Lab::on_disk();
    with_v1(&mut lab, &[]).await;
    let store = lab.open::<other::Tasks>().await;
    assert!(store.migrations_report().rebuilt());
    assert_eq!(store.query(other::Song::all()).unwrap(), []);
}
