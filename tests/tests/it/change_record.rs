//! Change records: every kind of write of a commit, old and new.

use larder::{Change, RowChange, Value, prelude::*};

use crate::board::{BoardEvent, BoardStore, added, boards};

/// Table, key, and what happened: `+`, `-` or `~`.
fn brief(change: &RowChange) -> String {
    let key = |values: &Vec<Value>| match &values[0] {
        Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    match (&change.old, &change.new) {
        (None, Some(new)) => format!("+{} {}", change.table, key(new)),
        (Some(old), None) => format!("-{} {}", change.table, key(old)),
        (Some(old), Some(new)) => format!("~{} {} {}", change.table, key(old), key(new)),
        (None, None) => "nothing".to_owned(),
    }
}

async fn changes_of(store: &StoreHandle<BoardStore>, event: BoardEvent) -> Vec<String> {
    let mut stream = store.changes();
    store.commit(event).expect("it commits");
    match stream.next().await.expect("a change").expect("the store is there") {
        Change::Committed(record) => {
            assert_eq!(record.numbers, [store.head()]);
            record.rows.iter().map(brief).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_record_has_every_changed_row_of_its_commit() {
    for store in boards().await {
        assert_eq!(changes_of(&store, added(1)).await, ["+cards 1"]);
        let remarked = BoardEvent::Remarked { card: 1, at: vec!["a".into(), "b".into()] };
        assert_eq!(changes_of(&store, remarked).await, ["+remarks 1", "+remarks 1"]);
        assert_eq!(changes_of(&store, BoardEvent::Replaced(1)).await, ["~cards 1 1"], "an upsert is an update");
        assert_eq!(changes_of(&store, BoardEvent::Moved { number: 1, done: true }).await, ["~cards 1 1"]);
        assert_eq!(
            changes_of(&store, BoardEvent::Removed(1)).await,
            ["-remarks 1", "-remarks 1", "-cards 1"],
            "a cascade"
        );
        assert_eq!(changes_of(&store, BoardEvent::Removed(1)).await, [] as [&str; 0], "no row, no change");
    }
}

#[tokio::test]
async fn a_record_sees_sql_that_replaces_and_deletes_without_a_filter() {
    for store in boards().await {
        store.commit([added(1), added(2)]).expect("it commits");
        let sql = |sql: &str| BoardEvent::SqlRun(sql.to_owned());
        store.commit(BoardEvent::Remarked { card: 1, at: vec!["a".into()] }).expect("it commits");
        assert_eq!(
            changes_of(&store, sql("REPLACE INTO remarks VALUES (1, 'a'), (2, 'b')")).await,
            ["-remarks 1", "+remarks 1", "+remarks 2"]
        );
        assert_eq!(changes_of(&store, sql("UPDATE cards SET weight = weight")).await, [] as [&str; 0]);
        assert_eq!(
            changes_of(&store, sql("DELETE FROM cards")).await,
            ["-remarks 1", "-cards 1", "-remarks 2", "-cards 2"]
        );
    }
}

#[tokio::test]
async fn what_a_failed_commit_wrote_is_in_no_record() {
    for store in boards().await {
        store.commit(added(1)).expect("it commits");
        let mut stream = store.changes();
        store.commit([added(2), added(1)]).expect_err("the second is refused");
        store.commit(added(3)).expect("it commits");
        let Some(Ok(Change::Committed(record))) = stream.next().await else { panic!("a record") };
        assert_eq!(record.rows.iter().map(brief).collect::<Vec<_>>(), ["+cards 3"]);
    }
}
