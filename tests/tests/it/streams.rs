//! The eventlog and the changes as streams.

use larder::{Change, EventNumber, LogChange, RowChange, StoreError};
use larder_tests::{
    lab::{Lab, poll_once},
    notebook::{NoteEvent, Notebook, in_materializer, written},
};

use crate::board::{BoardEvent, Remark, added, boards};

fn value(number: i64) -> larder::Value {
    larder::Value::Integer(number)
}

#[tokio::test]
async fn events_streams_all_committed_ones_and_then_waits_for_more() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        store.commit([written(1), NoteEvent::LookedAt(1), NoteEvent::AllErased]).unwrap();
        let mut events = store.events(EventNumber::ZERO);
        let mut next = async || events.next().await.unwrap().unwrap();
        let first = next().await;
        assert_eq!((first.number.to_string().as_str(), first.name.as_str()), ("e1", "v1.NoteWritten"));
        assert_eq!(first.args.as_deref(), Some(r#"{"number":1,"text":"note 1"}"#));
        assert!(first.id.is_some());
        assert_eq!(first.decode::<NoteEvent>().unwrap(), Some(written(1)));
        let second = next().await;
        assert_eq!((second.number.to_string().as_str(), second.args.as_deref(), second.id), ("e1.1", Some("1"), None));
        let third = next().await;
        assert_eq!((third.number.to_string().as_str(), third.args), ("e2", None));
        let (fourth, committed) = tokio::join!(next(), store.commit_async(written(2)));
        assert_eq!(fourth.number, committed.unwrap().numbers()[0]);
    }
}

#[tokio::test]
async fn events_continues_after_a_number_and_reads_long_logs_in_parts() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        store.commit((1..=500).map(written).collect::<Vec<_>>()).unwrap();
        let mut events = store.events("e3".parse().unwrap());
        for global in 4..=500 {
            assert_eq!(events.next().await.unwrap().unwrap().number, EventNumber::synced(global));
        }
        assert!(poll_once(&mut std::pin::pin!(events.next())).await.is_none());
    }
}

#[tokio::test]
async fn with_pending_without_a_backend_is_the_same() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        store.commit(written(1)).unwrap();
        let mut events = store.events(EventNumber::ZERO).with_pending();
        let LogChange::Event(event) = events.next().await.unwrap().unwrap() else { panic!("nothing was undone") };
        assert_eq!(event.number, EventNumber::synced(1));
    }
}

#[tokio::test]
async fn streams_end_with_one_error_when_the_store_is_evicted() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        store.commit(written(1)).unwrap();
        let (mut events, mut changes) = (store.events(store.head()), store.changes());
        lab.registry().evict::<Notebook>("book:1").await.unwrap();
        assert!(matches!(events.next().await, Some(Err(StoreError::Evicted { .. }))));
        assert!(events.next().await.is_none());
        assert!(matches!(changes.next().await, Some(Err(StoreError::Evicted { .. }))));
        assert!(changes.next().await.is_none());
    }
}

#[tokio::test]
async fn a_change_record_sees_every_kind_of_write_and_nothing_that_was_rolled_back() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let mut changes = store.changes();
        store.commit([written(1), NoteEvent::LineAdded { note: 1, at: 2 }]).unwrap();
        store.commit(NoteEvent::Refused(5)).unwrap_err();
        store.commit(NoteEvent::AllErased).unwrap();
        let mut next = async || match changes.next().await.unwrap().unwrap() {
            Change::Committed(record) => record,
            other => panic!("{other:?}"),
        };
        let text = larder::Value::Text("note 1".to_owned());
        let (note, line) = (vec![value(1), text], vec![value(1), value(2), larder::Value::Real(1.0)]);
        let first = next().await;
        assert_eq!(first.numbers, [EventNumber::synced(1), EventNumber::synced(2)]);
        assert_eq!(
            first.rows,
            [
                RowChange { table: "notes", old: None, new: Some(note.clone()) },
                RowChange { table: "lines", old: None, new: Some(line.clone()) },
            ]
        );
        let second = next().await;
        assert_eq!(
            second.rows,
            [
                RowChange { table: "lines", old: Some(line), new: None },
                RowChange { table: "notes", old: Some(note), new: None },
            ]
        );
    }
}

#[tokio::test]
async fn a_change_stream_that_is_not_polled_keeps_a_bounded_number_and_says_what_it_missed() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let mut changes = store.changes();
        for number in 1..=1_030 {
            store.commit(written(number)).unwrap();
        }
        for _ in 0..1_024 {
            assert!(matches!(changes.next().await, Some(Ok(Change::Committed(_)))));
        }
        assert_eq!(changes.next().await, Some(Ok(Change::Missed { commits: 6 })));
        store.commit(written(2_000)).unwrap();
        assert!(matches!(changes.next().await, Some(Ok(Change::Committed(_)))));
    }
}

/// Inserts so many rows by one statement.
fn many(from: usize, rows: usize) -> BoardEvent {
    BoardEvent::SqlRun(format!(
        "INSERT INTO remarks (card, at) WITH RECURSIVE n (i) AS (VALUES ({from}) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {}) \
         SELECT 1, printf('%08d', i) FROM n",
        from + rows
    ))
}

#[tokio::test]
async fn a_commit_of_more_rows_than_are_kept_is_said_to_be_missed_and_live_queries_see_it() {
    for store in boards().await {
        store.commit(added(1)).unwrap();
        let (mut changes, mut live) = (store.changes(), store.subscribe(Remark::all().count()));
        assert_eq!(**live.next().await.unwrap().unwrap(), 0);
        store.commit(many(0, 65_536)).unwrap();
        let Some(Ok(Change::Committed(record))) = changes.next().await else { panic!("a change") };
        assert_eq!(record.rows.len(), 65_536);
        store.commit(many(100_000, 65_537)).unwrap();
        assert_eq!(changes.next().await, Some(Ok(Change::Missed { commits: 1 })));
        assert_eq!(**live.next().await.unwrap().unwrap(), 131_073);
        store.commit(many(200_000, 1)).unwrap();
        let Some(Ok(Change::Committed(record))) = changes.next().await else { panic!("a change") };
        assert_eq!(record.rows.len(), 1);
    }
}

#[tokio::test]
async fn a_change_stream_that_is_not_polled_keeps_a_bounded_number_of_rows() {
    for store in boards().await {
        store.commit(added(1)).unwrap();
        let mut changes = store.changes();
        for (from, rows) in [(0, 40_000), (50_000, 25_536), (100_000, 1), (200_000, 1)] {
            store.commit(many(from, rows)).unwrap();
        }
        for rows in [40_000, 25_536] {
            let Some(Ok(Change::Committed(record))) = changes.next().await else { panic!("a change") };
            assert_eq!(record.rows.len(), rows);
        }
        assert_eq!(changes.next().await, Some(Ok(Change::Missed { commits: 2 })));
    }
}

#[tokio::test]
async fn a_commit_without_listeners_records_nothing_and_a_later_listener_hears_what_follows() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        drop(store.changes());
        store.commit(written(1)).unwrap();
        let mut changes = store.changes();
        store.commit(written(2)).unwrap();
        let Some(Ok(Change::Committed(record))) = changes.next().await else { panic!("a change") };
        assert_eq!(record.numbers, [EventNumber::synced(2)]);
    }
}

#[tokio::test]
async fn a_commit_that_began_before_the_change_stream_is_said_to_be_missed() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let inner = store.clone();
        let made = std::rc::Rc::new(std::cell::RefCell::new(None));
        let slot = std::rc::Rc::clone(&made);
        in_materializer(move || drop(slot.replace(Some(inner.changes()))), || store.commit(NoteEvent::Hooked)).unwrap();
        let mut changes = made.take().unwrap();
        assert_eq!(changes.next().await, Some(Ok(Change::Missed { commits: 1 })));
        store.commit(written(1)).unwrap();
        assert!(matches!(changes.next().await, Some(Ok(Change::Committed(_)))));
    }
}

#[tokio::test]
async fn streams_can_be_made_inside_read() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let (mut changes, mut events) =
            store.read(|snapshot| Ok((store.changes(), store.events(snapshot.head()?)))).unwrap();
        store.commit(written(1)).unwrap();
        assert!(matches!(changes.next().await, Some(Ok(Change::Committed(_)))));
        assert!(events.next().await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_task_that_waits_for_an_event_or_a_change_is_woken_by_a_commit() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let (mut events, mut changes) = (store.events(EventNumber::ZERO), store.changes());
        let event = tokio::spawn(async move { events.next().await.unwrap().unwrap().number });
        let change = tokio::spawn(async move { matches!(changes.next().await, Some(Ok(Change::Committed(_)))) });
        // Both tasks run up to where they wait.
        tokio::task::yield_now().await;
        store.commit(written(1)).unwrap();
        let woken = tokio::time::timeout(std::time::Duration::from_secs(10), async { (event.await, change.await) });
        let (number, changed) = woken.await.expect("the commit wakes them");
        assert_eq!((number.unwrap(), changed.unwrap()), (EventNumber::synced(1), true));
    }
}
