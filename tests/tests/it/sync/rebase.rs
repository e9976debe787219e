//! What a rebase does to log and tables, in files and in memory.

use std::{sync::Arc, time::Duration};

use larder::{Change, LocalBackend, StoreOptions, SyncError, prelude::*};
use larder_tests::{
    lab::Lab,
    notebook::{Line, Note, NoteEvent, Notebook, note, written},
};

use crate::board::{BoardEvent, BoardStore, added};

use super::clients::{Client, STORE, log, push_foreign, push_texts, synced};

/// Stores in files whose backend is not connected yet.
fn offline() -> (Lab, Arc<LocalBackend>) {
    let backend = LocalBackend::new("local");
    backend.set_connected(false);
    (Lab::on_disk_with(synced(&backend)), backend)
}

fn line(note: i64, at: i64) -> NoteEvent {
    NoteEvent::LineAdded { note, at }
}

fn notes(store: &Store<Notebook>) -> Vec<i64> {
    store.query(Note::all().order_by(Note::NUMBER.asc())).unwrap().into_iter().map(|note| note.number).collect()
}

#[tokio::test]
async fn pending_events_make_room_for_foreign_ones_and_come_back_behind_them() {
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        store.commit([written(1), NoteEvent::LookedAt(1), line(1, 7), written(2)]).unwrap();
        push_foreign(&client.backend, &[written(10), NoteEvent::Erased(10), written(11)]).await;
        client.backend.set_connected(false);
        client.settle().await;
        assert_eq!(log(&store), "| e1 e1.1 e2 e3");
        // What is pushed is refused, so it pulls.
        client.sync_once().await;
        assert_eq!(log(&store), "e1 e2 e3 e4r1 e4.1r1 e5r1 e6r1");
        assert_eq!(notes(&store), [1, 2, 11]);
        assert_eq!(store.query(Line::all()).unwrap().len(), 1);
        assert_eq!(client.backend.events(STORE).len(), 6);
        assert!(store.verify().unwrap().is_sound());
        assert!(store.quarantined_events().unwrap().is_empty());
        store.commit(written(3)).unwrap();
        assert_eq!(log(&store), "e1 e2 e3 e4r1 e4.1r1 e5r1 e6r1 | e7r1");
    }
}

#[tokio::test]
async fn pending_events_of_more_bytes_than_wait_in_memory_make_room_in_their_order_too() {
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        let large = |number| NoteEvent::Written { number, text: format!("{number}{}", "x".repeat(4_000)) };
        let committed: Vec<_> = (1..=300).map(large).collect();
        store.commit(committed.clone()).unwrap();
        push_foreign(&client.backend, &[written(1_000)]).await;
        client.sync_once().await;
        assert_eq!(store.head().to_string(), "e301r1");
        let agreed = client.backend.events(STORE).into_iter().skip(1);
        assert!(agreed.map(|event| event.decode::<NoteEvent>().unwrap().unwrap()).eq(committed));
        assert_eq!(notes(&store).len(), 301);
        assert!(store.verify().unwrap().is_sound());
    }
}

#[tokio::test]
async fn clients_that_were_offline_come_to_one_log_and_to_the_same_tables() {
    for in_files in [true, false] {
        let backend = LocalBackend::new("local");
        let clients = [0, 1, 2].map(|_| Client::new(&backend.another(), in_files));
        let mut stores = Vec::new();
        for (client, own) in clients.iter().zip([10, 20, 30]) {
            client.backend.set_connected(false);
            let store = client.open::<Notebook>().await;
            for number in 1..=own / 5 {
                store.commit([written(own + number), line(own + number, 1), NoteEvent::LookedAt(1)]).unwrap();
            }
            stores.push(store);
        }
        for _ in 0..3 {
            for client in &clients {
                client.sync_once().await;
            }
        }
        let agreed = backend.events(STORE);
        assert_eq!(agreed.len(), 2 * (2 + 4 + 6));
        for store in &stores {
            assert_eq!(notes(store), notes(&stores[0]));
            assert_eq!(store.sync_status().pending, 0);
            assert!(store.verify().unwrap().is_sound());
        }
    }
}

#[tokio::test]
async fn a_pending_event_that_no_longer_materializes_is_quarantined_and_the_others_go_on() {
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        let first = store.commit(written(1)).unwrap();
        let refused = store.commit([written(2), line(2, 1), NoteEvent::LookedAt(2)]).unwrap();
        let last = store.commit(written(3)).unwrap();
        push_foreign(&client.backend, &[written(2), NoteEvent::Erased(9)]).await;
        client.sync_once().await;
        // The line is now below the other one's note.
        assert_eq!(log(&store), "e1 e2 e3r1 e4r1 e4.1r1 e5r1");
        assert_eq!(notes(&store), [1, 2, 3]);
        let quarantined = store.quarantined_events().unwrap();
        assert_eq!(quarantined.len(), 1);
        assert_eq!(quarantined[0].event.decode::<NoteEvent>().unwrap(), Some(written(2)));
        assert!(quarantined[0].reason.contains("already has"), "{}", quarantined[0].reason);
        first.confirmed().await.unwrap();
        last.confirmed().await.unwrap();
        let error = refused.confirmed().await.unwrap_err();
        assert!(matches!(&error, SyncError::Quarantined { number, .. } if number.to_string() == "e2"), "{error}");
        assert!(store.verify().unwrap().is_sound());
        assert_eq!(client.backend.events(STORE).len(), 5);
        assert_eq!(store.sync_status().last_error, None);
    }
}

#[tokio::test]
async fn quarantined_events_outlive_the_process_a_rebuild_and_a_backup() {
    let mut lab = Lab::on_disk();
    let backend = LocalBackend::new("local");
    lab.set_defaults(synced(&backend));
    backend.set_connected(false);
    let store = lab.open::<Notebook>().await;
    store.commit([written(1), written(2)]).unwrap();
    push_foreign(&backend, &[written(1)]).await;
    backend.set_connected(true);
    while store.sync_status().pending > 0 || store.quarantined_events().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let before = store.quarantined_events().unwrap();
    store.backup(lab.beside("backup.db")).unwrap();
    drop(store);
    lab.close().await;
    larder_tests::forge::forget_tables(&lab.sqlite("notebook"));
    let store = lab.open::<Notebook>().await;
    assert!(store.migrations_report().rebuilt());
    assert_eq!((store.quarantined_events().unwrap(), notes(&store)), (before.clone(), vec![1, 2]));
    drop(store);
    lab.close().await;
    // Damage below SQL: the log is copied into a new file.
    lab.sqlite("notebook").execute_batch("CREATE TABLE intruder (x)").unwrap();
    let store = lab.open::<Notebook>().await;
    assert!(store.migrations_report().rebuilt());
    assert_eq!((store.quarantined_events().unwrap(), log(&store)), (before.clone(), "e1 e2r1".to_owned()));
    assert!(larder::doctor::check(lab.beside("backup.db")).unwrap().is_sound());
    let mut exported = Vec::new();
    let report = larder::doctor::export(lab.beside("backup.db"), &mut exported).unwrap();
    assert_eq!((report.events, report.damaged, report.quarantined), (2, 0, 1));
    let exported = String::from_utf8(exported).unwrap();
    let last: serde_json::Value = serde_json::from_str(exported.lines().last().unwrap()).unwrap();
    assert_eq!((&last["args"]["number"], &last["quarantined"]), (&1.into(), &before[0].reason.as_str().into()));
    drop(store);
    lab.close().await;
    std::fs::rename(lab.beside("backup.db"), lab.store_file("notebook")).unwrap();
    std::fs::remove_file(larder_tests::lab::with_ending(&lab.store_file("notebook"), ".lock")).unwrap();
    assert_eq!(lab.open::<Notebook>().await.quarantined_events().unwrap(), before);
}

#[tokio::test]
async fn a_confirmed_event_that_does_not_materialize_stays_in_the_log_and_is_listed() {
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        store.commit(written(1)).unwrap();
        push_foreign(&client.backend, &[written(5), NoteEvent::Refused(6), NoteEvent::Panicked(7), written(5)]).await;
        client.sync_once().await;
        assert_eq!(log(&store), "e1 e2 e3 e4 e5r1");
        let failed = store.failed_events().unwrap();
        let listed: Vec<_> = failed.iter().map(|failed| failed.event.number.to_string()).collect();
        assert_eq!((listed, store.sync_status().failed), (vec!["e2".to_owned(), "e3".into(), "e4".into()], 3));
        assert_eq!(notes(&store), [1, 5]);
        assert!(store.verify().unwrap().is_sound());
    }
}

#[tokio::test]
async fn an_event_that_arrives_after_all_leaves_the_quarantine() {
    // Another client was given the file of before, and has pushed what could not come back here.
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        store.commit(written(1)).unwrap();
        push_foreign(&client.backend, &[written(1)]).await;
        client.sync_once().await;
        let quarantined = store.quarantined_events().unwrap();
        assert_eq!((quarantined.len(), log(&store)), (1, "e1".to_owned()));
        let event = larder::StoredEvent { number: "e2".parse().unwrap(), ..quarantined[0].event.clone() };
        let payload = larder::Payload::new();
        let other = client.backend.another();
        larder::SyncBackend::push(&*other, larder::PushRequest::new(STORE, 1, &[event], &payload)).await.unwrap();
        client.sync_once().await;
        assert_eq!((store.quarantined_events().unwrap(), log(&store)), (Vec::new(), "e1 e2".to_owned()));
        assert_eq!(store.failed_events().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn events_of_before_there_was_a_backend_are_rebased_by_a_rebuild() {
    for in_files in [true, false] {
        let backend = LocalBackend::new("local");
        let client = Client::with(&backend, in_files, |_| StoreOptions::new());
        if !in_files {
            // What is in memory does not outlive its load.
            continue;
        }
        let store = client.open::<Notebook>().await;
        store.commit([written(1), line(1, 1)]).unwrap();
        drop(store);
        client.evict::<Notebook>(STORE).await.unwrap();
        push_foreign(&backend, &[written(10)]).await;
        let store = client.get::<Notebook>(STORE).options(synced(&backend)).await.unwrap();
        let mut live = store.subscribe(Note::all().order_by(Note::NUMBER.asc()));
        assert_eq!(live.next().await.unwrap().unwrap().len(), 2 - 1);
        client.sync_once().await;
        assert_eq!(log(&store), "e1 e2r1 e3r1");
        assert_eq!(**live.next().await.unwrap().unwrap(), [note(1), note(10)]);
        assert!(store.verify().unwrap().is_sound());
        // From here on there are records.
        client.backend.set_connected(false);
        client.settle().await;
        store.commit(written(2)).unwrap();
        push_foreign(&backend, &[written(11)]).await;
        client.sync_once().await;
        assert_eq!((log(&store), notes(&store)), ("e1 e2r1 e3r1 e4 e5r2".to_owned(), vec![1, 2, 10, 11]));
        assert!(store.verify().unwrap().is_sound());
    }
}

#[tokio::test]
async fn a_damaged_record_or_a_row_that_is_not_what_it_says_leads_to_a_rebuild() {
    for damage in [
        "UPDATE larder_changes SET changes = zeroblob(9) WHERE place = 1 << 24",
        "DELETE FROM larder_changes WHERE place = 2 << 24",
        "UPDATE notes SET text = 'forged' WHERE number = 1",
        "DELETE FROM notes WHERE number = 2",
    ] {
        let (mut lab, backend) = offline();
        let store = lab.open::<Notebook>().await;
        store.commit([written(1), written(2)]).unwrap();
        drop(store);
        lab.close_within(Duration::ZERO).await;
        let store = lab.open::<Notebook>().await;
        assert_eq!(lab.sqlite("notebook").execute(damage, []).unwrap(), 1);
        push_foreign(&backend, &[written(10)]).await;
        backend.set_connected(true);
        store.commit(written(3)).unwrap().confirmed().await.unwrap();
        assert_eq!((log(&store), notes(&store)), ("e1 e2r1 e3r1 e4r1".to_owned(), vec![1, 2, 3, 10]), "{damage}");
        assert!(store.verify().unwrap().is_sound(), "{damage}");
        drop(store);
        lab.close().await;
    }
}

#[tokio::test]
async fn a_rebase_undoes_row_by_row_by_records_in_memory_and_in_the_file() {
    for client in Client::both() {
        client.backend.set_connected(false);
        let store = client.open::<Notebook>().await;
        store.commit([written(1), written(2)]).unwrap();
        // They are stored in the first quiet second, those of the next commits are in memory.
        client.advance(Duration::from_secs(5)).await;
        store.commit([written(3), line(1, 1)]).unwrap();
        push_foreign(&client.backend, &[written(10)]).await;
        let mut changes = store.changes();
        client.sync_once().await;
        // Of tables that are made anew nobody is told the rows.
        assert!(matches!(changes.next().await, Some(Ok(Change::Committed(_)))));
        assert_eq!((log(&store), notes(&store)), ("e1 e2r1 e3r1 e4r1 e5r1".to_owned(), vec![1, 2, 3, 10]));
        assert!(store.verify().unwrap().is_sound());
    }
}

#[tokio::test]
async fn what_was_pending_when_the_process_was_killed_is_rebased_by_a_rebuild() {
    let (mut lab, backend) = offline();
    let store = lab.open::<Notebook>().await;
    store.commit([written(1), written(2)]).unwrap();
    larder_tests::lab::copy_dir(&lab.data_dir(), &lab.beside("killed"));
    let builder = StoreRegistry::builder().data_dir(lab.beside("killed"));
    let registry = builder.defaults(synced(&backend)).build().unwrap();
    let killed = registry.get::<Notebook>(STORE).await.unwrap();
    killed.commit(written(3)).unwrap();
    push_foreign(&backend, &[written(10)]).await;
    let mut changes = killed.changes();
    backend.set_connected(true);
    let change = changes.next().await;
    assert!(matches!(change, Some(Ok(Change::Missed { .. }))), "{change:?}");
    killed.commit(written(4)).unwrap().confirmed().await.unwrap();
    assert_eq!((log(&killed), notes(&killed)), ("e1 e2r1 e3r1 e4r1 e5r1".to_owned(), vec![1, 2, 3, 4, 10]));
    assert!(killed.verify().unwrap().is_sound());
}

#[tokio::test]
async fn many_pending_events_over_few_confirmed_ones_are_rebased_by_a_rebuild() {
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        for hundred in 0..12 {
            store.commit((0..100).map(|at| written(hundred * 100 + at)).collect::<Vec<_>>()).unwrap();
        }
        push_foreign(&client.backend, &[written(-1), written(5)]).await;
        client.sync_once().await;
        let numbers = store.log_numbers().unwrap();
        assert_eq!((numbers.confirmed().len(), numbers.pending().len()), (1_201, 0));
        assert_eq!(numbers.confirmed()[1_200].to_string(), "e1201r1");
        assert_eq!((notes(&store).len(), store.quarantined_events().unwrap().len()), (1_201, 1));
        assert!(store.verify().unwrap().is_sound());
    }
}

#[tokio::test]
async fn unknown_events_of_others_stay_in_the_log_and_are_counted_as_at_a_load() {
    for client in Client::both() {
        let store = client.open::<Notebook>().await;
        store.commit(written(1)).unwrap();
        push_texts(&client.backend, vec![("v9.Later", Some("{}".to_owned())), ("v9.Later", None)]).await;
        client.sync_once().await;
        assert_eq!((log(&store), notes(&store)), ("e1 e2 e3r1".to_owned(), vec![1]));
        assert!(store.failed_events().unwrap().is_empty());
        assert_eq!(client.backend.events(STORE)[0].args.as_deref(), Some("{}"));
    }
}

#[tokio::test]
async fn a_rebased_log_is_read_again_after_a_restart() {
    let (mut lab, backend) = offline();
    let store = lab.open::<Notebook>().await;
    store.commit([written(1), NoteEvent::LookedAt(1), written(2)]).unwrap();
    push_foreign(&backend, &[written(10)]).await;
    backend.set_connected(true);
    store.commit(written(3)).unwrap().confirmed().await.unwrap();
    backend.set_connected(false);
    store.commit([written(4), NoteEvent::LookedAt(4)]).unwrap();
    let before = log(&store);
    assert_eq!(before, "e1 e2r1 e2.1r1 e3r1 e4r1 | e5r1 e5.1r1");
    drop(store);
    lab.close_within(Duration::ZERO).await;
    assert!(larder::doctor::check(lab.store_file("notebook")).unwrap().is_sound());
    let store = lab.open::<Notebook>().await;
    assert_eq!((log(&store), notes(&store)), (before, vec![1, 2, 3, 4, 10]));
    // The records of before serve the next rebase.
    push_foreign(&backend, &[NoteEvent::Erased(10)]).await;
    backend.set_connected(true);
    store.commit(written(5)).unwrap().confirmed().await.unwrap();
    assert_eq!(log(&store), "e1 e2r1 e2.1r1 e3r1 e4r1 e5 e6r2 e6.1r2 e7r2");
    assert!(store.verify().unwrap().is_sound());
}

#[tokio::test]
async fn fewer_events_than_before_are_no_damage() {
    let (mut lab, backend) = offline();
    let store = lab.open::<BoardStore>().await;
    store.commit([added(1), added(2), added(3)]).unwrap();
    drop(store);
    lab.close_within(Duration::ZERO).await;
    // The first transaction of this opening notes three events, and there will be one.
    let store = lab.open::<BoardStore>().await;
    let all = "INSERT INTO cards (number, title, lane, opened_at, labels, picture, pinned) \
               SELECT column1, column1, 'Open', 0, '[]', x'', 0 FROM (VALUES (1), (2), (3))";
    push_foreign(&backend, &[BoardEvent::SqlRun(all.to_owned())]).await;
    backend.set_connected(true);
    while store.quarantined_events().unwrap().len() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(log(&store), "e1");
    // As a process leaves it that is killed here.
    larder_tests::lab::copy_dir(&lab.data_dir(), &lab.beside("killed"));
    let registry = StoreRegistry::builder().data_dir(lab.beside("killed")).build().unwrap();
    let left = registry.get::<BoardStore>(STORE).await.unwrap();
    assert_eq!((log(&left), left.quarantined_events().unwrap().len()), ("e1".to_owned(), 3));
}
