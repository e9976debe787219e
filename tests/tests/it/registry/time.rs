//! The time that an app puts into its events.

use std::time::Duration;

use larder::{OpenOptions, prelude::*, testing::ManualClock};

use super::support::*;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "visits")]
struct Visit {
    #[table(primary_key)]
    at: Timestamp,
}

#[derive(Event, Clone, Debug, PartialEq)]
enum VisitEvent {
    #[event(name = "v1.Visited")]
    Visited { at: Timestamp },
}

#[derive(StoreSchema)]
#[schema(events = VisitEvent, tables(Visit), version = 1)]
struct VisitSchema;

#[larder::materializer]
impl Materializer for VisitSchema {
    fn materialize(event: &VisitEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            VisitEvent::Visited { at } => tables.upsert(Visit { at: *at }),
        }
    }
}

larder::define_store! {
    /// Visits.
    VisitStore { name: "visit", schema: VisitSchema, adapter: SqliteAdapter::persisted() }
}

#[tokio::test]
async fn the_time_of_a_store_goes_into_a_column() {
    let store = Store::<VisitStore>::open("v", OpenOptions::in_memory()).await.unwrap();
    // One reading in a thousand has no digits below a microsecond by chance.
    for _ in 0..50 {
        let at = store.now();
        store.commit(VisitEvent::Visited { at }).unwrap();
        assert_eq!(store.query(Visit::by_key(at)).unwrap(), Some(Visit { at }));
    }
    let since = Timestamp::now().duration_since(store.now());
    assert!(since.unsigned_abs() < Duration::from_secs(60), "it is the system's time");
    let fine = Timestamp::from_nanosecond(1_700_000_000_000_000_001).unwrap();
    let refused = store.commit(VisitEvent::Visited { at: fine }).unwrap_err();
    assert!(refused.to_string().contains("take it from `store.now()`"), "{refused}");
}

#[tokio::test]
async fn the_time_of_a_test_stands_still_and_is_advanced() {
    let bench = Bench::new();
    let note = bench.get::<NoteStore>("n").await.unwrap();
    assert_eq!((bench.now(), note.now()), (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH));
    bench.advance(90).await;
    let later = Timestamp::from_second(90).unwrap();
    assert_eq!((bench.now(), note.now()), (later, later));

    let clock = ManualClock::new();
    let alone = Store::<NoteStore>::open("n", OpenOptions::in_memory().clock(&clock)).await.unwrap();
    clock.advance(Duration::from_nanos(1_999)).await;
    assert_eq!(alone.now(), Timestamp::from_microsecond(1).unwrap(), "whole microseconds");
    clock.advance(Duration::MAX).await;
    assert!(alone.now() > later, "no time is too far");
}
