//! The eventlog on disk: what is stored, exactly, and how it is numbered.

use std::fs;

use larder::{EventNumber, StoreError};
use larder_tests::{
    forge::{self, Forged},
    lab::Lab,
    notebook::{NoteEvent, Notebook, written},
};

#[tokio::test]
async fn one_file_holds_log_tables_and_what_the_store_says_of_itself() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit([written(1), NoteEvent::LookedAt(1), NoteEvent::AllErased]).unwrap();
    drop(store);
    lab.close().await;
    let sqlite = lab.sqlite("notebook");
    let text = |sql: &str| {
        let mut statement = sqlite.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap()
    };
    assert_eq!(
        text("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"),
        ["larder_authors", "larder_events", "larder_failed", "larder_meta", "larder_unknown", "lines", "notes"]
    );
    assert_eq!(
        text(
            "SELECT format('%d %d %d %s %s', place, ordinal, generation, name, coalesce(args, 'absent')) FROM larder_events"
        ),
        [
            r#"16777216 1 0 v1.NoteWritten {"number":1,"text":"note 1"}"#,
            "16777217 2 0 v1.NoteLookedAt 1",
            "33554432 3 0 v1.AllErased absent",
        ]
    );
    assert_eq!(
        text("SELECT format('%d %d', length(checksum), coalesce(length(id), 0)) FROM larder_events"),
        ["16 16", "16 0", "16 16"]
    );
    assert_eq!(
        text("SELECT value FROM larder_meta WHERE key IN ('definition', 'store_id') ORDER BY key"),
        ["notebook", "book:1"]
    );
    let pragma = |name: &str| sqlite.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((pragma("application_id"), pragma("user_version")), (0x6c61_7264, 1));
}

#[tokio::test]
async fn numbers_go_on_after_a_restart_and_ids_never_repeat() {
    let mut lab = Lab::on_disk();
    let mut seen = std::collections::HashSet::new();
    for round in 1..=4 {
        let store = lab.open::<Notebook>().await;
        let receipt = store.commit([written(round * 2), written(round * 2 + 1)]).unwrap();
        assert_eq!(receipt.last(), Some(EventNumber::synced(round.unsigned_abs() * 2)));
        drop(store);
        lab.close().await;
    }
    let store = lab.open::<Notebook>().await;
    let mut events = store.events(EventNumber::ZERO);
    for _ in 0..8 {
        assert!(seen.insert(events.next().await.unwrap().unwrap().id.unwrap()));
    }
}

#[tokio::test]
async fn an_event_keeps_the_client_and_session_it_was_committed_with() {
    let mut lab = Lab::on_disk();
    commit_and_close(&mut lab, &[1]).await;
    forge::append(&lab.store_file("notebook"), &[Forged::new("v1.NoteErased", "1")]);
    let store = lab.open::<Notebook>().await;
    store.commit(written(2)).unwrap();
    let (client, session) = (lab.registry().client_id().to_string(), lab.registry().session_id().to_string());
    let mut events = store.events(EventNumber::ZERO);
    let mut of_whom = Vec::new();
    for _ in 1..=3 {
        let event = events.next().await.unwrap().unwrap();
        of_whom.push((event.client_id.to_string(), event.session_id.to_string()));
    }
    let own = (client, session);
    assert_eq!(of_whom, [own.clone(), (forge::FORGER.to_owned(), forge::SESSION.to_owned()), own]);
}

#[tokio::test]
async fn a_row_of_another_history_of_the_same_store_is_no_row_of_this_one() {
    let mut lab = Lab::on_disk();
    commit_and_close(&mut lab, &[1]).await;
    let file = lab.store_file("notebook");
    let (before, other) = (lab.beside("before.db"), lab.beside("other.db"));
    fs::copy(&file, &before).unwrap();
    commit_and_close(&mut lab, &[20, 30, 40, 50]).await;
    fs::copy(&file, &other).unwrap();
    fs::copy(&before, &file).unwrap();
    commit_and_close(&mut lab, &[2, 3, 4, 5]).await;
    let sqlite = lab.sqlite("notebook");
    sqlite.execute("ATTACH ? AS other", [other.to_str()]).unwrap();
    // The same file, store, number, client and session: only the row before is another.
    let graft = "REPLACE INTO larder_events SELECT * FROM other.larder_events WHERE place = 3 << 24";
    assert_eq!(sqlite.execute(graft, []).unwrap(), 1);
    sqlite.close().unwrap();
    let store = lab.open::<Notebook>().await;
    let mut events = store.events(EventNumber::ZERO);
    let error = loop {
        match events.next().await.unwrap() {
            Ok(event) => assert_ne!(event.decode().unwrap(), Some(written(30))),
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, StoreError::Stopped { .. }) && error.to_string().contains("event e3"), "{error}");
}

async fn commit_and_close(lab: &mut Lab, numbers: &[i64]) {
    let store = lab.open::<Notebook>().await;
    numbers.iter().for_each(|number| drop(store.commit(written(*number)).unwrap()));
    drop(store);
    lab.close().await;
}
