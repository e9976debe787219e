//! A field that an event gets later, with `#[serde(default)]`: what is in the log already reads as if it had it.

use larder::{Migration, RebuildReason};
use larder_tests::lab::Lab;

/// The app as it was first.
mod before {
    use larder::prelude::*;

    #[derive(Table, Clone, Debug, PartialEq)]
    #[table(name = "tasks")]
    pub(super) struct Task {
        #[table(primary_key)]
        pub(super) number: i64,
    }

    #[derive(Event, Clone, Debug, PartialEq)]
    pub(super) enum TaskEvent {
        #[event(name = "v1.TaskAdded")]
        Added { number: i64 },
    }

    #[derive(StoreSchema)]
    #[schema(events = TaskEvent, tables(Task), version = 1)]
    pub(super) struct TaskSchema;

    #[larder::materializer]
    impl Materializer for TaskSchema {
        fn materialize(event: &TaskEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
            let TaskEvent::Added { number } = event;
            tables.insert(Task { number: *number })
        }
    }

    larder::define_store! {
        pub(super) Tasks { name: "tasks", schema: TaskSchema, adapter: SqliteAdapter::persisted() }
    }
}

/// The same app with a field more in its event, and a column for it.
mod after {
    use larder::prelude::*;

    #[derive(Table, Clone, Debug, PartialEq)]
    #[table(name = "tasks")]
    pub(super) struct Task {
        #[table(primary_key)]
        pub(super) number: i64,
        pub(super) label: String,
    }

    #[derive(Event, Clone, Debug, PartialEq)]
    pub(super) enum TaskEvent {
        #[event(name = "v1.TaskAdded")]
        Added {
            number: i64,
            #[serde(default)]
            label: String,
        },
    }

    #[derive(StoreSchema)]
    #[schema(events = TaskEvent, tables(Task), version = 1)]
    pub(super) struct TaskSchema;

    #[larder::materializer]
    impl Materializer for TaskSchema {
        fn materialize(event: &TaskEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
            let TaskEvent::Added { number, label } = event;
            tables.insert(Task { number: *number, label: label.clone() })
        }
    }

    larder::define_store! {
        pub(super) Tasks { name: "tasks", schema: TaskSchema, adapter: SqliteAdapter::persisted() }
    }
}

#[tokio::test]
async fn a_field_with_a_default_may_be_added_to_an_event_that_is_in_the_log() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<before::Tasks>().await;
    store.commit(before::TaskEvent::Added { number: 1 }).unwrap();
    drop(store);
    lab.close().await;
    let store = lab.open::<after::Tasks>().await;
    let report = store.migrations_report();
    assert!(matches!(report.migration, Migration::Rebuilt(RebuildReason::SchemaChanged { .. })));
    assert_eq!((report.applied, report.failed, report.unknown), (1, 0, 0));
    store.commit(after::TaskEvent::Added { number: 2, label: "urgent".to_owned() }).unwrap();
    let task = |number, label: &str| after::Task { number, label: label.to_owned() };
    assert_eq!(store.query(after::Task::all()).unwrap(), [task(1, ""), task(2, "urgent")]);
    assert!(store.verify().unwrap().is_sound());
    drop(store);
    lab.close().await;
    // The app of before reads on what the later one wrote.
    let store = lab.open::<before::Tasks>().await;
    assert_eq!(store.query(before::Task::all().count()).unwrap(), 2);
    assert_eq!(store.failed_events().unwrap(), []);
}
