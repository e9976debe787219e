//! One order for all: nothing overtakes, nothing is missing, nothing comes twice, whoever pushes and whenever one begins to pull.

use std::{collections::BTreeMap, sync::Arc};

use larder_server::{OpenToAll, Settings, SqliteStorage};
use larder_wire::{Call, Cause, Cursor, Exit, Failure, RefusalKind, ServerFrame};

use crate::lab::{Lab, Socket, event, events, failure, http, push};

fn unhurried() -> Settings {
    Settings { pushes_per_second: 1_000_000, bytes_per_second: 1 << 40, ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_during_a_readers_first_pages_does_not_overtake_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = Arc::new(SqliteStorage::open(folder.path()).expect("a log"));
    let lab = Lab::start(unhurried(), storage, Arc::new(OpenToAll)).await;
    let mut writer = lab.typescript("a").await;
    for head in (0..2_000).step_by(100) {
        assert_eq!(writer.push("a", head, 100).await, Exit::Pushed);
    }
    let address = lab.address;
    let readers = (0..6).map(|_| {
        tokio::spawn(async move {
            let mut reader = Socket::typescript(address, "a", None).await.expect("open");
            let id = reader.pull_live("a", None).await;
            reader.numbers_until(&id, 2_300).await
        })
    });
    let readers: Vec<_> = readers.collect();
    for head in 2_000..2_300 {
        assert_eq!(writer.push("a", head, 1).await, Exit::Pushed);
    }
    for reader in readers {
        assert_eq!(reader.await.expect("no panic"), (1..=2_300).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reader_sees_the_pushes_of_many_authors_in_one_order() {
    const AUTHORS: u64 = 5;
    const EACH: u64 = 30;
    let lab = Lab::with(unhurried()).await;
    let address = lab.address;
    let author = |name: u64| async move {
        let mut socket = Socket::typescript(address, "a", None).await.expect("open");
        let (mut head, mut done) = (0, 0);
        while done < EACH {
            let mut mine = event(head + 1, &format!("[{name},{done}]"));
            mine.client_id = name.to_string();
            let id = socket.ask("a", None, push(vec![mine])).await;
            match socket.exit_of(&id).await {
                Exit::Pushed => (head, done) = (head + 1, done + 1),
                refused => match failure(refused) {
                    Failure::ServerAhead { minimum_expected, provided } => {
                        assert!(minimum_expected > provided);
                        head = minimum_expected;
                    }
                    other => panic!("{other:?}"),
                },
            }
        }
    };
    let reader = || async move {
        let mut socket = Socket::typescript(address, "a", None).await.expect("open");
        let id = socket.pull_live("a", None).await;
        let mut seen = Vec::new();
        while seen.len() < usize::try_from(AUTHORS * EACH).expect("small") {
            for pulled in socket.page_of(&id).await.batch {
                assert_eq!(pulled.event.seq_num as usize, seen.len() + 1);
                seen.push(pulled.event.args_text().expect("arguments").to_owned());
            }
        }
        seen
    };
    let readers: Vec<_> = (0..4).map(|_| tokio::spawn(reader())).collect();
    let authors: Vec<_> = (0..AUTHORS).map(|name| tokio::spawn(author(name))).collect();
    for author in authors {
        author.await.expect("no panic");
    }
    let mut orders = Vec::new();
    for reader in readers {
        orders.push(reader.await.expect("no panic"));
    }
    assert!(orders.windows(2).all(|pair| pair[0] == pair[1]), "all readers see one order");
    let mut of_author: BTreeMap<&str, u64> = BTreeMap::new();
    for args in &orders[0] {
        let (name, done) = args.trim_matches(['[', ']']).split_once(',').expect("two numbers");
        let next = of_author.entry(name).or_default();
        assert_eq!(done, next.to_string(), "an author's events keep their order");
        *next += 1;
    }
    assert!(of_author.values().all(|count| *count == EACH), "every event is there once");
}

#[tokio::test]
async fn pushes_that_are_sent_without_waiting_are_taken_in_the_order_in_which_they_were_sent() {
    let lab = Lab::with(unhurried()).await;
    let mut socket = lab.larder().await;
    let mut ids = Vec::new();
    for head in 0..40 {
        ids.push(socket.ask("a", None, push(events(head, 1))).await);
        ids.push(socket.ask("b", None, push(events(head, 1))).await);
        if head % 20 == 19 {
            for id in ids.drain(..) {
                assert_eq!(socket.exit_of(&id).await, Exit::Pushed);
            }
        }
    }
}

#[tokio::test]
async fn a_batch_with_a_hole_inside_is_refused_whole() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    let mut holes = events(0, 3);
    holes.remove(1);
    let id = socket.ask("a", None, push(holes)).await;
    let refused = failure(socket.exit_of(&id).await);
    assert!(
        matches!(&refused, Failure::Refused(refusal)
            if refusal.kind == RefusalKind::Invalid && refusal.message.starts_with("e3 with parent e2 does not follow e1")),
        "{refused:?}"
    );
    assert_eq!(socket.push("a", 0, 1).await, Exit::Pushed, "nothing of it was stored");
}

#[tokio::test]
async fn a_finished_pull_gets_nothing_more() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    let ended = socket.ask("a", None, Call::Pull { cursor: None, live: false }).await;
    assert_eq!(socket.exit_of(&ended).await, Exit::Ended);
    socket.page_of(&ended).await;
    assert_eq!(socket.push("a", 0, 1).await, Exit::Pushed);
    socket.send(r#"{"_tag":"Ping"}"#).await;
    assert_eq!(socket.next().await, Ok(ServerFrame::Pong));
}

#[tokio::test]
async fn a_client_that_comes_back_goes_on_from_its_cursor() {
    let lab = Lab::open().await;
    let mut before = lab.typescript("a").await;
    let id = before.pull_live("a", None).await;
    let backend_id = before.page_of(&id).await.backend_id;
    assert_eq!(before.push("a", 0, 9).await, Exit::Pushed);
    drop(before);
    let mut after = lab.typescript("a").await;
    let cursor = |event_sequence_number| Some(Cursor { backend_id: backend_id.clone(), event_sequence_number });
    let id = after.pull_live("a", cursor(6)).await;
    assert_eq!(after.numbers_until(&id, 9).await, [7, 8, 9]);
    let at_the_head = after.pull_live("a", cursor(9)).await;
    assert!(after.page_of(&at_the_head).await.batch.is_empty());
    // The same push once more, as after a lost answer: the client is told the head, and finds its own events.
    assert!(matches!(failure(after.push("a", 0, 9).await), Failure::ServerAhead { minimum_expected: 9, .. }));
}

#[tokio::test]
async fn a_request_id_that_is_in_use_ends_the_connection_and_a_free_one_serves_again() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    let live = socket.pull_live("a", None).await;
    socket.page_of(&live).await;
    let text = r#"{"_tag":"Request","id":"1","tag":"SyncWsRpc.Pull","payload":{"storeId":"a","live":true,"cursor":{"_tag":"None"}}}"#;
    socket.send(r#"{"_tag":"Interrupt","requestId":"1"}"#).await;
    assert_eq!(socket.exit_of(&live).await, Exit::Failed(Cause::Interrupt));
    socket.send(text).await;
    assert!(socket.page_of(&live).await.batch.is_empty());
    socket.send(text).await;
    assert_eq!(socket.closed().await, 1002);
    assert_eq!(http(lab.address, "GET", "/healthz", &[], "").await.status, 200);
}
