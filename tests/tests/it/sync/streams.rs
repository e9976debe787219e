//! What a rebase looks like from the outside: streams of events and changes, live queries, receipts.

use std::sync::mpsc;

use futures_util::FutureExt;
use larder::{Change, EventNumber, LocalBackend, LogChange};
use larder_tests::{
    lab::poll_once,
    notebook::{Note, NoteEvent, Notebook, note, written},
};

use crate::board::{BoardEvent, BoardStore, Card, added, card};

use super::clients::{Client, log, push_foreign};

async fn next(stream: &mut larder::PendingEventStream<Notebook>) -> String {
    match stream.next().await.unwrap().unwrap() {
        LogChange::Event(event) => event.number.to_string(),
        LogChange::Undone(first) => format!("undone from {first}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stream_shows_confirmed_events_once_each_and_never_one_that_may_move() {
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        let mut events = store.events(EventNumber::ZERO);
        store.commit([written(1), NoteEvent::LookedAt(1), written(2)]).unwrap();
        assert!(poll_once(&mut std::pin::pin!(events.next())).await.is_none());
        push_foreign(&client.backend, &[written(10)]).await;
        client.sync_once().await;
        store.commit(written(3)).unwrap();
        let mut shown = Vec::new();
        for _ in 0..3 {
            shown.push(events.next().await.unwrap().unwrap().number.to_string());
        }
        assert_eq!(shown, ["e1", "e2r1", "e3r1"]);
        assert!(poll_once(&mut std::pin::pin!(events.next())).await.is_none());
    }
}

#[tokio::test]
async fn a_stream_with_pending_events_takes_back_what_a_rebase_moved_and_shows_it_again() {
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        let mut events = store.events(EventNumber::ZERO).with_pending();
        store.commit([written(1), written(2)]).unwrap();
        assert_eq!((next(&mut events).await, next(&mut events).await), ("e1".to_owned(), "e2".to_owned()));
        push_foreign(&client.backend, &[written(10)]).await;
        client.sync_once().await;
        let mut shown = Vec::new();
        for _ in 0..4 {
            shown.push(next(&mut events).await);
        }
        assert_eq!(shown, ["undone from e1", "e1", "e2r1", "e3r1"]);
        // Two rebases between two looks are one, and what was not shown is not taken back.
        store.commit([written(3), written(4)]).unwrap();
        assert_eq!(next(&mut events).await, "e4r1");
        for foreign in [11, 12] {
            push_foreign(&client.backend, &[written(foreign)]).await;
            client.sync_once().await;
            store.commit(written(foreign + 10)).unwrap();
        }
        let mut shown = Vec::new();
        for _ in 0..6 {
            shown.push(next(&mut events).await);
        }
        assert_eq!(shown[..2], ["undone from e4", "e4"]);
        assert_eq!(log(&store), "e1 e2r1 e3r1 e4 e5r2 e6r2 e7 e8r3 | e9r3");
        assert_eq!(shown[2..], ["e5r2", "e6r2", "e7", "e8r3"]);
    }
}

#[tokio::test]
async fn a_pending_stream_behind_the_rebase_takes_nothing_back() {
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        let mut events = store.events(EventNumber::ZERO).with_pending();
        store.commit([written(1), written(2)]).unwrap();
        push_foreign(&client.backend, &[written(10)]).await;
        client.sync_once().await;
        assert_eq!(next(&mut events).await, "e1");
        assert_eq!(next(&mut events).await, "e2r1");
    }
}

#[tokio::test]
async fn live_queries_have_the_result_of_after_a_rebase_and_changes_tell_its_rows() {
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        let mut all = store.subscribe(Note::all().order_by(Note::NUMBER.asc()));
        let mut first = store.subscribe(Note::all().order_by(Note::NUMBER.asc()).limit(1));
        let mut one = store.subscribe(Note::by_key(2));
        store.commit([written(1), written(2)]).unwrap();
        assert_eq!(all.next().await.unwrap().unwrap().len(), 2);
        assert_eq!(**first.next().await.unwrap().unwrap(), [note(1)]);
        assert_eq!(**one.next().await.unwrap().unwrap(), Some(note(2)));
        let mut changes = store.changes();
        // The foreign note 2 takes the place of the own one, which cannot come back.
        let text = "another's".to_owned();
        push_foreign(&client.backend, &[written(0), NoteEvent::Written { number: 2, text: text.clone() }]).await;
        client.sync_once().await;
        let other = Note { number: 2, text };
        assert_eq!(**all.next().await.unwrap().unwrap(), [note(0), note(1), other.clone()]);
        assert_eq!(**first.next().await.unwrap().unwrap(), [note(0)]);
        assert_eq!(**one.next().await.unwrap().unwrap(), Some(other));
        let Change::Committed(record) = changes.next().await.unwrap().unwrap() else { panic!("a record") };
        let numbers: Vec<_> = record.numbers.iter().map(ToString::to_string).collect();
        assert_eq!(numbers, ["e1", "e2", "e3r1"]);
        let undone = record.rows.iter().filter(|row| row.new.is_none()).count();
        let made = record.rows.iter().filter(|row| row.old.is_none()).count();
        assert_eq!((undone, made, record.rows.len()), (2, 3, 5));
    }
}

#[tokio::test]
async fn a_live_query_shows_what_others_have_committed_though_nobody_listens_to_changes() {
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        let mut all = store.subscribe(Note::all());
        assert!(all.next().await.unwrap().unwrap().is_empty());
        client.backend.set_connected(true);
        for number in 1..4 {
            push_foreign(&client.backend, &[written(number)]).await;
            client.settle().await;
            let shown = poll_once(&mut std::pin::pin!(all.next())).await.expect("it is shown").unwrap().unwrap();
            assert_eq!(shown.len(), usize::try_from(number).unwrap());
        }
    }
}

#[tokio::test]
async fn what_is_confirmed_where_it_stands_is_no_change() {
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        let mut changes = store.changes();
        store.commit(written(1)).unwrap();
        client.sync_once().await;
        // Whoever begins to listen in between misses nothing by it either.
        let mut later = store.changes();
        store.commit(written(2)).unwrap();
        client.sync_once().await;
        let mut numbers = Vec::new();
        for _ in 0..2 {
            let Change::Committed(record) = changes.next().await.unwrap().unwrap() else { panic!("a record") };
            numbers.push(record.numbers[0].to_string());
        }
        assert_eq!(numbers, ["e1", "e2"]);
        assert!(matches!(later.next().await.unwrap().unwrap(), Change::Committed(record) if record.rows.len() == 1));
        for nothing in [&mut changes, &mut later] {
            assert!(poll_once(&mut std::pin::pin!(nothing.next())).await.is_none());
        }
    }
}

#[tokio::test]
async fn a_receipt_follows_its_events_wherever_rebases_take_them() {
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        let receipt = store.commit([written(1), written(2)]).unwrap();
        let mut confirmed = Box::pin(receipt.confirmed());
        assert!(poll_once(&mut confirmed).await.is_none());
        for foreign in 10..13 {
            push_foreign(&client.backend, &[written(foreign)]).await;
        }
        // Its place of before is confirmed, by another's event, and it is not.
        client.backend.set_connected(true);
        let pulled = async {
            while store.sync_status().confirmed < "e3".parse().unwrap() {
                tokio::task::yield_now().await;
            }
        };
        pulled.await;
        confirmed.await.unwrap();
        assert_eq!(log(&store), "e1 e2 e3 e4r1 e5r1");
        assert_eq!(receipt.last().unwrap().to_string(), "e2", "as it was at the commit");
        receipt.clone().confirmed().await.unwrap();
        client.sync().await;
        store.commit([]).unwrap().confirmed().await.unwrap();
    }
}

#[tokio::test]
async fn a_live_query_is_not_misled_by_a_rebase_that_ends_at_a_number_of_before() {
    for client in Client::both() {
        let store = client.open::<BoardStore>().await;
        store.commit([added(1), added(2), added(3)]).unwrap();
        let mut first = store.subscribe(Card::all().order_by(Card::NUMBER.asc()).limit(2));
        assert_eq!(first.next().await.unwrap().unwrap()[0].title, card(1).title);
        let all = "INSERT INTO cards (number, title, lane, opened_at, labels, picture, pinned) \
                   SELECT column1, 'another ' || column1, 'Open', 0, '[]', x'', 0 FROM (VALUES (1), (2), (3))";
        push_foreign(&client.backend, &[BoardEvent::SqlRun(all.to_owned())]).await;
        client.sync_once().await;
        assert_eq!((log(&store).as_str(), store.quarantined_events().unwrap().len()), ("e1", 3));
        assert_eq!(first.next().await.unwrap().unwrap()[0].title, "another 1");
    }
}

/// Stands still while its event of another client is materialized, until the test says so.
mod slow {
    use std::sync::{
        Mutex,
        mpsc::{Receiver, Sender},
    };

    use larder::prelude::*;

    pub(super) static PAUSE: Mutex<Option<(Sender<()>, Receiver<()>)>> = Mutex::new(None);

    #[derive(Table, Clone, Debug, PartialEq)]
    pub(super) struct Mark {
        #[table(primary_key)]
        number: i64,
    }

    #[derive(Event, Clone, Debug, PartialEq)]
    pub(super) enum MarkEvent {
        #[event(name = "v1.Marked")]
        Marked(i64),
    }

    #[derive(StoreSchema)]
    #[schema(events = MarkEvent, tables(Mark), version = 1)]
    pub(super) struct MarkSchema;

    #[larder::materializer]
    impl Materializer for MarkSchema {
        fn materialize(event: &MarkEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
            if let Some((begun, go_on)) = PAUSE.lock().unwrap().take() {
                begun.send(()).unwrap();
                go_on.recv().unwrap();
            }
            let MarkEvent::Marked(number) = event;
            tables.insert(Mark { number: *number })
        }
    }

    define_store! {
        pub(super) Marks { name: "marks", schema: MarkSchema, adapter: SqliteAdapter::persisted() }
    }
}

#[tokio::test]
async fn whoever_subscribes_while_events_of_others_are_taken_over_is_shown_them() {
    let backend = LocalBackend::new("local");
    backend.set_connected(false);
    let client = Client::new(&backend, true);
    let store = client.open::<slow::Marks>().await;
    push_foreign(&backend, &[slow::MarkEvent::Marked(1)]).await;
    let ((begun, at_begin), (go_on, gone_on)) = (mpsc::channel(), mpsc::channel());
    *slow::PAUSE.lock().unwrap() = Some((begun, gone_on));
    let subscribing = store.clone();
    let subscribing = std::thread::spawn(move || {
        at_begin.recv().unwrap();
        let mut marks = subscribing.subscribe(slow::Mark::all());
        let first = loop {
            if let Some(first) = marks.next().now_or_never() {
                break first.unwrap().unwrap().len();
            }
            std::thread::yield_now();
        };
        go_on.send(()).unwrap();
        (first, marks)
    });
    client.sync().await;
    let (first, mut marks) = subscribing.join().unwrap();
    assert_eq!((first, log(&store).as_str()), (0, "e1"));
    let shown = marks.next().now_or_never().expect("it is shown").unwrap().unwrap();
    assert_eq!(shown.len(), 1);
}
