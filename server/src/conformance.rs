//! What every [`Storage`] must do, as tests that any implementation calls.
//!
//! ```no_run
//! # async fn example() {
//! larder_server::conformance::check(|| std::sync::Arc::new(larder_server::MemoryStorage::new())).await;
//! # }
//! ```

use std::sync::Arc;

use larder_wire::{Event, EventId, StoreId};
use serde_json::value::RawValue;

use crate::storage::{Append, AppendError, PageSize, Storage};

/// Runs all checks, each on a storage of its own.
///
/// # Panics
/// At the first thing that the storage does otherwise, saying which.
pub async fn check<S: Storage>(mut make: impl FnMut() -> Arc<S>) {
    empty_logs(&*make()).await;
    appends_and_reads(&*make()).await;
    wrong_heads(&*make()).await;
    texts_stay_what_they_are(&*make()).await;
    pages(&*make()).await;
    stores_are_apart(&*make()).await;
    one_of_many_wins(make()).await;
    many_stores_at_once(make()).await;
    identity_stays(&*make()).await;
    closed(&*make()).await;
}

/// Checks that a storage opened anew has what the one before it acknowledged.
///
/// # Panics
/// At the first thing that is lost or other than before.
pub async fn check_reopened<S: Storage>(mut open: impl FnMut() -> Arc<S>) {
    let a = store("reopened");
    let before = open();
    append(&*before, &a, 0, 3).await.expect("an append to an empty log");
    let identity = before.identity(&a).await.expect("an identity");
    before.close().await;
    drop(before);
    let after = open();
    assert_eq!(after.head(&a).await, Ok(3), "the head after a restart");
    assert_eq!(after.identity(&a).await, Ok(identity), "the identity after a restart");
    assert_eq!(numbers(&*after, &a, 0).await, [1, 2, 3], "the events after a restart");
    append(&*after, &a, 3, 1).await.expect("a log goes on after a restart");
    after.close().await;
}

fn store(id: &str) -> StoreId {
    StoreId::new(id).expect("a store id")
}

/// An event of a size that its number tells.
fn event(number: u64) -> Event {
    Event {
        name: "v1.Noted".to_owned(),
        args: Some(RawValue::from_string(format!("{{\"n\": {number}}}")).expect("JSON")),
        seq_num: number,
        parent_seq_num: number - 1,
        client_id: "client".to_owned(),
        session_id: "session".to_owned(),
        id: number.is_multiple_of(2).then(|| EventId(u128::from(number).to_be_bytes())),
    }
}

async fn append(storage: &impl Storage, store: &StoreId, head: u64, count: u64) -> Result<u64, AppendError> {
    let events = (head + 1..=head + count).map(event).collect();
    storage.append(Append::new(store.clone(), head, 1_795_360_170_231, events)).await
}

async fn numbers(storage: &impl Storage, store: &StoreId, after: u64) -> Vec<u64> {
    let page = storage.read(store, after, PageSize { events: 1_000, bytes: usize::MAX }).await.expect("a page");
    page.events.iter().map(|pulled| pulled.event.seq_num).collect()
}

async fn empty_logs(storage: &impl Storage) {
    let a = store("empty");
    assert_eq!(storage.head(&a).await, Ok(0), "a log without events has head 0");
    let page = storage.read(&a, 0, PageSize::default()).await.expect("an empty log is read");
    assert_eq!((page.events.len(), page.head), (0, 0), "a log without events is an empty page");
    assert_eq!(append(storage, &a, 0, 0).await, Ok(0), "an empty batch is a success");
    assert!(storage.healthy(), "a storage that never failed is healthy");
}

async fn appends_and_reads(storage: &impl Storage) {
    let a = store("appends");
    assert_eq!(append(storage, &a, 0, 1).await, Ok(1));
    assert_eq!(append(storage, &a, 1, 4).await, Ok(5));
    assert_eq!(append(storage, &a, 5, 0).await, Ok(5), "an empty batch changes nothing");
    assert_eq!(storage.head(&a).await, Ok(5));
    assert_eq!(numbers(storage, &a, 0).await, [1, 2, 3, 4, 5], "all events, in order");
    assert_eq!(numbers(storage, &a, 3).await, [4, 5], "those after a number");
    assert_eq!(numbers(storage, &a, 5).await, [0; 0], "none after the head");
    for beyond in [9, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
        assert_eq!(numbers(storage, &a, beyond).await, [0; 0], "none beyond the head");
    }
}

async fn wrong_heads(storage: &impl Storage) {
    let a = store("heads");
    append(storage, &a, 0, 3).await.expect("an append to an empty log");
    for wrong in [0, 1, 2, 4, 100] {
        let refused = append(storage, &a, wrong, 2).await;
        assert_eq!(refused, Err(AppendError::Ahead { head: 3 }), "an append after e{wrong} to a log with head e3");
    }
    let refused = append(storage, &store("other"), 1, 1).await;
    assert_eq!(refused, Err(AppendError::Ahead { head: 0 }), "an append after e1 to an empty log");
    assert_eq!(numbers(storage, &a, 0).await, [1, 2, 3], "a refused append changes nothing");
    assert_eq!(storage.head(&store("other")).await, Ok(0), "a refused append makes no log");
}

async fn texts_stay_what_they_are(storage: &impl Storage) {
    let a = store("texts");
    let texts = [
        None,
        Some("null"),
        Some("{ \"a\" : 1.0, \"a\" : 1e2 }"),
        Some("12345678901234567890.000000000000000001"),
        Some("\"\\u0000\\ud83d\u{1f600}\""),
        Some("[]"),
    ];
    let mut events: Vec<Event> = (1..).zip(texts).map(|(number, args)| with_args(event(number), args)).collect();
    events[0].name = "v1.\u{1f600} '\"\0".to_owned();
    events[1].client_id = String::new();
    let sent = Append::new(a.clone(), 0, 1_795_360_170_231, events);
    storage.append(sent.clone()).await.expect("an append to an empty log");
    let page = storage.read(&a, 0, PageSize::default()).await.expect("a page");
    assert_eq!(page.events, sent.batch, "every text, id and moment is what was appended");
    let created = page.events[0].metadata.as_ref().map(|metadata| metadata.created_at.as_str());
    assert_eq!(created, Some("2026-11-22T15:09:30.231Z"), "the moment is the appender's");
}

fn with_args(mut event: Event, args: Option<&str>) -> Event {
    event.args = args.map(|text| RawValue::from_string(text.to_owned()).expect("JSON"));
    event
}

async fn pages(storage: &impl Storage) {
    let a = store("pages");
    append(storage, &a, 0, 250).await.expect("an append to an empty log");
    for (events, bytes, at_most) in
        [(100, usize::MAX, 100), (1, usize::MAX, 1), (1_000, 200, 10), (1_000, 1, 1), (0, 0, 1)]
    {
        let (mut after, mut seen) = (0, 0);
        while after < 250 {
            let page = storage.read(&a, after, PageSize { events, bytes }).await.expect("a page");
            assert_eq!(page.head, 250, "a page has the head");
            assert!(!page.events.is_empty() && page.events.len() <= at_most, "{} events", page.events.len());
            assert_eq!(page.events[0].event.seq_num, after + 1, "pages follow each other without a hole");
            seen += page.events.len();
            after = page.events.last().expect("not empty").event.seq_num;
        }
        assert_eq!(seen, 250, "pages have every event once");
    }
}

async fn stores_are_apart(storage: &impl Storage) {
    let ids = ["a", "A", "a:b", "a.b", "a~3ab", "_a", "-a"].map(store);
    for (count, id) in (1..).zip(&ids) {
        append(storage, id, 0, count).await.expect("an append to an empty log");
    }
    for (count, id) in (1..).zip(&ids) {
        assert_eq!(storage.head(id).await, Ok(count), "{id} has its own log");
        assert_eq!(numbers(storage, id, 0).await.len() as u64, count, "{id} has its own events");
    }
}

async fn one_of_many_wins<S: Storage>(storage: Arc<S>) {
    let a = store("race");
    for round in 0..20 {
        let racers = (0..8_u8).map(|racer| {
            let (storage, a) = (storage.clone(), a.clone());
            tokio::spawn(async move {
                let mut events: Vec<_> = (round * 2 + 1..=round * 2 + 2).map(event).collect();
                events.iter_mut().for_each(|event| event.client_id = racer.to_string());
                storage.append(Append::new(a, round * 2, 0, events)).await
            })
        });
        let (mut won, mut lost) = (0, 0);
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.expect("no panic") {
                Ok(head) => won += usize::from(head == round * 2 + 2),
                Err(error) => lost += usize::from(error == AppendError::Ahead { head: round * 2 + 2 }),
            }
        }
        assert_eq!((won, lost), (1, 7), "one of eight appends to one head wins");
    }
    let page = storage.read(&a, 0, PageSize::default()).await.expect("a page");
    for pair in page.events.chunks(2) {
        assert_eq!(pair[0].event.client_id, pair[1].event.client_id, "a batch is whole");
    }
}

async fn many_stores_at_once<S: Storage>(storage: Arc<S>) {
    let writers = (0..40).map(|writer| {
        let storage = storage.clone();
        tokio::spawn(async move {
            let own = store(&format!("store-{writer}"));
            for round in 0..10 {
                append(&*storage, &own, round * 3, 3).await.expect("nobody else writes there");
                assert_eq!(storage.head(&own).await, Ok(round * 3 + 3), "what was appended is read");
            }
            assert_eq!(numbers(&*storage, &own, 0).await, (1..=30).collect::<Vec<_>>());
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("no panic");
    }
}

async fn identity_stays(storage: &impl Storage) {
    let a = store("identity");
    let before = storage.identity(&a).await.expect("an identity");
    assert!(!before.is_empty(), "an identity is not empty");
    append(storage, &a, 0, 1).await.expect("an append to an empty log");
    assert_eq!(storage.identity(&a).await, Ok(before), "an append does not change the identity");
}

async fn closed(storage: &impl Storage) {
    let a = store("closed");
    append(storage, &a, 0, 1).await.expect("an append to an empty log");
    storage.close().await;
    storage.close().await;
    let late = append(storage, &a, 1, 1).await;
    assert!(matches!(late, Err(AppendError::Storage(_))), "an append after the end fails: {late:?}");
}
