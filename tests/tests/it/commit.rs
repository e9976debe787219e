//! Commits: all or none, durable and visible when they return, one at a time or in groups.

use std::sync::{
    Arc, Barrier,
    atomic::{AtomicUsize, Ordering},
};

use larder::{CommitErrorKind, EventNumber, StoreOptions, SyncError, prelude::*};
use larder_tests::{
    lab::{Lab, poll_once},
    notebook::{Line, Note, NoteEvent, Notebook, in_materializer, note, written},
};

fn numbers(receipt: &larder::Receipt) -> Vec<String> {
    receipt.numbers().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_commit_takes_one_event_an_array_a_slice_or_a_vec_and_numbers_them() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        assert_eq!(numbers(&store.commit(written(1)).unwrap()), ["e1"]);
        assert_eq!(numbers(&store.commit([written(2), NoteEvent::LookedAt(2)]).unwrap()), ["e2", "e2.1"]);
        assert_eq!(numbers(&store.commit(&[NoteEvent::LookedAt(1), written(3)][..]).unwrap()), ["e2.2", "e3"]);
        assert_eq!(numbers(&store.commit(vec![written(4)]).unwrap()), ["e4"]);
        assert_eq!(store.log_numbers(), Ok("e1 e2 e2.1 e2.2 e3 e4".parse().unwrap()));
        assert_eq!(store.query(Note::all().count()).unwrap(), 4);
    }
}

#[tokio::test]
async fn an_empty_commit_does_nothing() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        assert_eq!(store.commit(Vec::new()).unwrap().numbers(), []);
        assert_eq!(store.head(), EventNumber::ZERO);
    }
}

#[tokio::test]
async fn a_failed_commit_changes_nothing_gives_the_events_back_and_leaves_the_store_usable() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        store.commit(written(1)).unwrap();
        let events = vec![written(2), NoteEvent::Refused(3), written(4)];
        let error = store.commit(events.clone()).unwrap_err();
        assert!(matches!(error.kind(), CommitErrorKind::Materialize { event: "v1.Refused", .. }));
        assert_eq!(
            error.to_string(),
            "event `v1.Refused` of store notebook/book:1 does not materialize: not today; nothing was committed"
        );
        assert_eq!(error.into_events(), events);
        assert_eq!((store.head(), store.query(Note::all()).unwrap()), ("e1".parse().unwrap(), vec![note(1)]));
        assert_eq!(numbers(&store.commit(written(2)).unwrap()), ["e2"]);
    }
}

#[tokio::test]
async fn a_panicking_materializer_counts_as_failed() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let error = store.commit([written(1), NoteEvent::Panicked(2)]).unwrap_err();
        let CommitErrorKind::MaterializerPanicked { message, .. } = error.kind() else { panic!("{error}") };
        assert_eq!(message, "a note too far");
        assert_eq!(store.query(Note::all()).unwrap(), []);
        store.commit(written(1)).unwrap();
    }
}

#[tokio::test]
async fn a_commit_or_query_from_inside_a_materializer_is_reentrant_never_a_deadlock() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let inner = store.clone();
        let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let log = std::rc::Rc::clone(&seen);
        let hook = move || {
            let commit = inner.commit(written(9)).unwrap_err();
            log.borrow_mut().push(matches!(commit.kind(), CommitErrorKind::Reentrant { .. }));
            let query = inner.query(Note::all()).unwrap_err();
            log.borrow_mut().push(*query.kind() == larder::QueryErrorKind::Reentrant);
        };
        in_materializer(hook, || store.commit(NoteEvent::Hooked)).unwrap();
        assert_eq!(*seen.borrow(), [true, true]);
        assert_eq!(store.query(Note::all()).unwrap(), []);
    }
}

#[tokio::test]
async fn commit_async_from_inside_a_materializer_or_read_is_reentrant_and_gives_the_events_back() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let (inner, seen) = (store.clone(), std::rc::Rc::new(std::cell::RefCell::new(Vec::new())));
        let polled = move || {
            let mut commit = inner.commit_async([written(8), written(9)]);
            match std::pin::Pin::new(&mut commit).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
                std::task::Poll::Ready(Err(error)) => {
                    assert!(matches!(error.kind(), CommitErrorKind::Reentrant { .. }), "{error}");
                    (error.to_string(), error.into_events())
                }
                other => panic!("{other:?}"),
            }
        };
        let (log, asked) = (std::rc::Rc::clone(&seen), polled.clone());
        in_materializer(move || log.borrow_mut().push(asked()), || store.commit(NoteEvent::Hooked)).unwrap();
        seen.borrow_mut().push(store.read(|_| Ok(polled())).unwrap());
        for ((message, events), inside) in seen.take().into_iter().zip(["its own materializer", "a `read` of it"]) {
            assert!(message.contains(&format!("from inside {inside}")), "{message}");
            assert_eq!(events, [written(8), written(9)]);
        }
        assert_eq!(store.head(), EventNumber::synced(1));
    }
}

#[tokio::test]
async fn a_commit_from_inside_a_materializer_that_verify_runs_is_reentrant_never_a_deadlock() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        store.commit([NoteEvent::Hooked, written(1)]).unwrap();
        let inner = store.clone();
        let hook = move || {
            let error = inner.commit(written(2)).unwrap_err();
            assert!(matches!(error.kind(), CommitErrorKind::Reentrant { .. }), "{error}");
        };
        assert!(in_materializer(hook, || store.verify()).unwrap().is_sound());
        assert_eq!(store.head(), EventNumber::synced(2));
    }
}

#[tokio::test]
async fn any_text_is_kept_as_it_is_also_with_nul_in_it() {
    let texts = ["", "\0", "a\0b", "'; DROP TABLE notes; --", "\u{feff}\u{202e}\r\n\u{1f600}", "\\u0000 \"quoted\""];
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let events = (1..).zip(texts).map(|(number, text)| NoteEvent::Written { number, text: text.to_owned() });
        store.commit(events.collect::<Vec<_>>()).unwrap();
        for (number, text) in (1..).zip(texts) {
            let found = store.query(Note::filter(Note::TEXT.eq(text))).unwrap();
            assert_eq!(found, [Note { number, text: text.to_owned() }]);
        }
        let mut events = store.events(EventNumber::ZERO);
        for (number, text) in (1..).zip(texts) {
            let event = events.next().await.unwrap().unwrap();
            assert_eq!(event.decode().unwrap(), Some(NoteEvent::Written { number, text: text.to_owned() }));
        }
        assert!(store.verify().unwrap().is_sound());
    }
}

#[tokio::test]
async fn a_commit_to_another_store_from_inside_a_materializer_works() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let other = lab.registry().get::<Notebook>("book:2").await.unwrap();
        let inner = other.clone();
        in_materializer(move || drop(inner.commit(written(1)).unwrap()), || store.commit(NoteEvent::Hooked)).unwrap();
        assert_eq!((store.head(), other.head()), ("e1".parse().unwrap(), "e1".parse().unwrap()));
    }
}

#[tokio::test]
async fn limits_have_typed_errors() {
    let limits = StoreOptions::default().max_event_bytes(64).max_commit_events(2);
    for mut lab in Lab::both_with(&limits) {
        let store = lab.open::<Notebook>().await;
        let large = NoteEvent::Written { number: 1, text: "x".repeat(100) };
        let error = store.commit(large).unwrap_err();
        assert!(
            matches!(
                error.kind(),
                CommitErrorKind::EventTooLarge { bytes: 122, limit: 64, event: "v1.NoteWritten", .. }
            ),
            "{error}"
        );
        let error = store.commit([written(1), written(2), written(3)]).unwrap_err();
        assert!(matches!(error.kind(), CommitErrorKind::TooManyEvents { count: 3, limit: 2, .. }));
        assert_eq!(error.events().len(), 3);
        store.commit([written(1), written(2)]).unwrap();
    }
}

#[tokio::test]
async fn by_default_an_event_has_256_kib_and_a_commit_1_000_events() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let of_bytes = |bytes: usize| NoteEvent::Written {
            number: 1,
            text: "x".repeat(bytes - r#"{"number":1,"text":""}"#.len()),
        };
        let error = store.commit(of_bytes(256 * 1024 + 1)).unwrap_err();
        assert!(
            matches!(error.kind(), CommitErrorKind::EventTooLarge { bytes: 262_145, limit: 262_144, .. }),
            "{error}"
        );
        store.commit(of_bytes(256 * 1024)).unwrap();
        let error = store.commit((2..=1_002).map(written).collect::<Vec<_>>()).unwrap_err();
        assert!(matches!(error.kind(), CommitErrorKind::TooManyEvents { count: 1_001, limit: 1_000, .. }), "{error}");
        assert_eq!(store.commit((2..=1_001).map(written).collect::<Vec<_>>()).unwrap().numbers().len(), 1_000);
        assert_eq!(store.head(), EventNumber::synced(1_001));
    }
}

#[tokio::test]
async fn references_are_enforced_and_cascade() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        assert!(store.commit(NoteEvent::LineAdded { note: 1, at: 1 }).is_err());
        store.commit([written(1), NoteEvent::LineAdded { note: 1, at: 1 }]).unwrap();
        store.commit(NoteEvent::Erased(1)).unwrap();
        assert_eq!(store.query(Line::all()).unwrap(), []);
    }
}

#[tokio::test]
async fn a_receipt_without_a_backend_is_never_confirmed() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let receipt = store.commit(written(1)).unwrap();
        let error = receipt.confirmed().await.unwrap_err();
        assert!(matches!(error, SyncError::NotConfigured { .. }));
    }
}

#[tokio::test]
async fn commit_async_is_the_same_on_the_blocking_pool() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        assert_eq!(numbers(&store.commit_async([written(1), written(2)]).await.unwrap()), ["e1", "e2"]);
        let error = store.commit_async(NoteEvent::Refused(3)).await.unwrap_err();
        assert_eq!(error.into_events(), [NoteEvent::Refused(3)]);
    }
}

#[tokio::test]
async fn commit_async_dropped_before_its_first_poll_does_nothing_and_after_it_runs_wholly() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        drop(store.commit_async([written(1), written(2)]));
        {
            let mut commit = store.commit_async([written(3), written(4)]);
            let _ = poll_once(&mut commit).await;
        }
        let mut events = store.events(EventNumber::ZERO);
        assert_eq!(events.next().await.unwrap().unwrap().number, EventNumber::synced(1));
        assert_eq!(events.next().await.unwrap().unwrap().number, EventNumber::synced(2));
        assert_eq!(store.query(Note::all()).unwrap(), [note(3), note(4)]);
    }
}

/// Commits from many threads at once; every thread sees its own commit when it returns.
fn race(store: &StoreHandle<Notebook>, threads: i64, each: i64, event: impl Fn(i64) -> NoteEvent + Sync) -> usize {
    let (barrier, failed) = (Barrier::new(threads as usize), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (barrier, failed, event) = (&barrier, &failed, &event);
            scope.spawn(move || {
                barrier.wait();
                for at in 0..each {
                    let number = thread * each + at + 1;
                    match store.commit(event(number)) {
                        Ok(receipt) => {
                            assert!(store.head() >= receipt.last().unwrap());
                            assert!(store.query(Note::by_key(number)).unwrap().is_some());
                        }
                        Err(error) => {
                            assert_eq!(error.events().len(), 1);
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    failed.load(Ordering::Relaxed)
}

#[tokio::test]
async fn concurrent_commits_share_transactions_and_each_is_whole() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        assert_eq!(race(&store, 8, 50, written), 0);
        assert_eq!((store.head(), store.query(Note::all().count()).unwrap()), (EventNumber::synced(400), 400));
        assert!(store.verify().unwrap().is_sound());
    }
}

#[tokio::test]
async fn an_error_or_panic_in_one_of_a_group_rolls_back_that_one_only() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let event = |number| match number % 10 {
            3 => NoteEvent::Refused(number),
            7 => NoteEvent::Panicked(number),
            _ => written(number),
        };
        assert_eq!(race(&store, 8, 50, event), 80);
        assert_eq!((store.head(), store.query(Note::all().count()).unwrap()), (EventNumber::synced(320), 320));
        assert!(store.verify().unwrap().is_sound());
    }
}

#[tokio::test]
async fn changes_of_a_group_go_to_the_commits_that_made_them() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let mut changes = store.changes();
        let event = |number| if number % 5 == 0 { NoteEvent::Refused(number) } else { written(number) };
        assert_eq!(race(&store, 4, 50, event), 40);
        let mut last = EventNumber::ZERO;
        for _ in 0..160 {
            let larder::Change::Committed(record) = changes.next().await.unwrap().unwrap() else { panic!("missed") };
            assert!(record.numbers[0] > last);
            last = record.numbers[0];
            assert_eq!((record.numbers.len(), record.rows.len()), (1, 1));
        }
    }
}

#[tokio::test]
async fn commits_of_several_threads_while_the_store_is_evicted_are_wholly_there_or_refused() {
    for round in 0..10 {
        let mut lab = Lab::on_disk();
        let store = lab.open::<Notebook>().await;
        let registry = lab.registry().clone();
        let begun = Arc::new(Barrier::new(5));
        let answered = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (store, begun, answered) = (store.clone(), Arc::clone(&begun), Arc::clone(&answered));
                std::thread::spawn(move || {
                    begun.wait();
                    let mut acknowledged = Vec::new();
                    for pair in 0.. {
                        let number = thread * 1_000_000 + 2 * pair;
                        match store.commit([written(number), written(number + 1)]) {
                            Ok(_) => {
                                acknowledged.push(number);
                                answered.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(error) => {
                                assert!(
                                    matches!(error.kind(), CommitErrorKind::Store(larder::StoreError::Evicted { .. })),
                                    "{error}"
                                );
                                assert_eq!(error.into_events(), [written(number), written(number + 1)]);
                                break;
                            }
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        drop(store);
        begun.wait();
        while answered.load(Ordering::Relaxed) < 5 * round && !threads.iter().all(|thread| thread.is_finished()) {
            std::thread::yield_now();
        }
        registry.evict::<Notebook>("book:1").await.unwrap();
        let mut expected: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        expected.sort_unstable();
        let store = registry.get::<Notebook>("book:1").await.unwrap();
        let notes: Vec<_> = store.query(Note::all()).unwrap().into_iter().map(|note| note.number).collect();
        assert_eq!(notes, expected.into_iter().flat_map(|number| [number, number + 1]).collect::<Vec<_>>());
        assert!(store.verify().unwrap().is_sound());
    }
}
