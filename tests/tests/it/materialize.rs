//! What a materializer may do, and what a commit makes of what it does.

use larder::{CommitErrorKind, MaterializeError, prelude::*};

use crate::board::{BoardEvent, BoardStore, Card, Remark, added, boards, card};

fn refused(store: &StoreHandle<BoardStore>, event: BoardEvent) -> String {
    let head = store.head();
    let error = store.commit(event.clone()).expect_err("it is refused");
    assert!(matches!(error.kind(), CommitErrorKind::Materialize { .. }), "{error}");
    let message = error.to_string();
    assert_eq!(error.into_events(), [event], "the event comes back");
    assert_eq!(store.head(), head, "and nothing is in the log");
    message
}

#[tokio::test]
async fn insert_refuses_a_key_that_is_there() {
    for store in boards().await {
        store.commit(added(1)).expect("it commits");
        let message = refused(&store, added(1));
        assert!(message.contains("table `cards` already has such a row"), "{message}");
        assert_eq!(store.query(Card::all().count()), Ok(1));
    }
}

#[tokio::test]
async fn a_refused_insert_may_be_answered_by_the_materializer() {
    for store in boards().await {
        store.commit(BoardEvent::AddedTwice(1)).expect("it commits");
        assert_eq!(store.query(Card::all()), Ok(vec![card(1)]));
    }
}

#[tokio::test]
async fn upsert_keeps_rows_that_reference_the_row() {
    for store in boards().await {
        store.commit([added(1), BoardEvent::Remarked { card: 1, at: vec!["a".into()] }]).expect("it commits");
        store.commit(BoardEvent::Replaced(1)).expect("it commits");
        assert_eq!(store.query(Card::by_key(1)), Ok(Some(Card { pinned: true, ..card(1) })));
        assert_eq!(store.query(Remark::all().count()), Ok(1));
    }
}

#[tokio::test]
async fn references_are_enforced_and_cascade() {
    for store in boards().await {
        let message = refused(&store, BoardEvent::Remarked { card: 1, at: vec!["a".into()] });
        assert!(message.contains("a reference of table `remarks`"), "{message}");
        store
            .commit([added(1), BoardEvent::Remarked { card: 1, at: vec!["a".into(), "b".into()] }])
            .expect("it commits");
        store.commit(BoardEvent::Removed(1)).expect("it commits");
        assert_eq!(store.query(Remark::all()), Ok(Vec::new()));
        store.commit(BoardEvent::Removed(1)).expect("no row is fine for `run`");
    }
}

#[tokio::test]
async fn run_one_needs_exactly_one_row() {
    for store in boards().await {
        let error = store.commit(BoardEvent::Moved { number: 1, done: true }).expect_err("there is none");
        let CommitErrorKind::Materialize { source, .. } = error.kind() else { panic!("{error}") };
        assert!(matches!(source, MaterializeError::NotOne { table: "cards", matched: 0 }), "{source}");
    }
}

#[tokio::test]
async fn a_half_materialized_event_is_undone_whole() {
    for store in boards().await {
        store.commit(added(1)).expect("it commits");
        refused(&store, BoardEvent::Remarked { card: 1, at: vec!["a".into(), "b".into(), "a".into()] });
        assert_eq!(store.query(Remark::all().exists()), Ok(false));
    }
}

#[tokio::test]
async fn sql_in_a_materializer_writes_the_schema_s_tables_by_functions_of_its_arguments() {
    for store in boards().await {
        store.commit([added(1), added(2)]).expect("it commits");
        let run = |sql: &str| BoardEvent::SqlRun(sql.to_owned());
        store.commit(run("UPDATE cards SET weight = unixepoch('2026-01-02') WHERE number = 1")).expect("it commits");
        assert_eq!(store.query(Card::by_key(1).one()).map(|card| card.weight), Ok(Some(1_767_312_000.0)));
        for (sql, reason) in [
            ("UPDATE cards SET weight = random()", "`random` is not allowed in a materializer"),
            ("UPDATE cards SET weight = unixepoch('now')", "`now`"),
            ("UPDATE cards SET weight = unixepoch()", "no time"),
            ("UPDATE cards SET title = CURRENT_TIMESTAMP", "is not allowed in a materializer"),
            ("UPDATE cards SET weight = changes()", "`changes` is not allowed"),
            ("DELETE FROM larder_events", "not one of the schema's"),
            ("DROP TABLE remarks", "only SELECT, INSERT, UPDATE and DELETE"),
            ("PRAGMA foreign_keys = OFF", "`PRAGMA foreign_keys` is not allowed"),
            ("COMMIT", "transactions are larder's"),
            ("DELETE FROM remarks; DELETE FROM cards", "more than one statement"),
            ("INSERT OR ABORT INTO remarks VALUES (9, 'a')", "FOREIGN KEY constraint failed"),
            ("INSERT OR ROLLBACK INTO remarks VALUES (9, 'a')", "`OR ROLLBACK` is not allowed"),
        ] {
            let message = refused(&store, run(sql));
            assert!(message.contains(reason), "{sql}: {message}");
        }
        assert_eq!(store.query(Card::all().count()), Ok(2));
    }
}
