//! Rebuilding tables from the log: when, with progress, wholly or not at all; and opening without one.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use larder::{CommitErrorKind, LoadError, Migration, RebuildReason};
use larder_tests::{
    lab::{Lab, with_ending},
    notebook::{Note, NoteEvent, Notebook, written},
};

use crate::board::{BoardEvent, BoardStore, added};

async fn with_events(lab: &mut Lab, count: i64) {
    let store = lab.open::<Notebook>().await;
    let all = (1..=count).map(written).collect::<Vec<_>>();
    all.chunks(1_000).for_each(|events| drop(store.commit(events).unwrap()));
    drop(store);
    lab.close().await;
}

/// As an app of another version would leave it: the fingerprint is another one, and tables are those of that version.
fn as_by_another_version(lab: &Lab) {
    let sqlite = lab.sqlite("notebook");
    sqlite
        .execute_batch(
            "UPDATE larder_meta SET value = zeroblob(16) WHERE key = 'fingerprint';
             DROP TABLE lines; DROP TABLE notes;
             CREATE TABLE notes (number TEXT PRIMARY KEY, other REAL) STRICT;
             CREATE TABLE gone (x INTEGER REFERENCES notes) STRICT; INSERT INTO notes VALUES ('x', 1.5);",
        )
        .unwrap();
    sqlite.close().unwrap();
}

#[tokio::test]
async fn a_new_store_is_created_and_an_unchanged_one_is_not_rebuilt() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    assert_eq!(store.migrations_report().migration, Migration::Created);
    store.commit(written(1)).unwrap();
    drop(store);
    lab.close().await;
    let store = lab.open::<Notebook>().await;
    assert_eq!((store.migrations_report().migration, store.migrations_report().applied), (Migration::Unchanged, 0));
}

#[tokio::test]
async fn a_rebuild_reports_progress_from_nothing_to_all() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 1_000).await;
    as_by_another_version(&lab);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let get = lab.registry().get::<Notebook>("book:1").progress(move |progress| log.lock().unwrap().push(progress));
    let store = get.await.unwrap();
    assert_eq!(store.query(Note::all().count()).unwrap(), 1_000);
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 4 && seen.is_sorted_by_key(|progress| progress.done));
    assert_eq!((seen[0].done, seen[0].total, seen.last().unwrap().done), (0, 1_000, 1_000));
    assert!(store.verify().unwrap().is_sound());
}

#[tokio::test]
async fn events_that_fail_in_a_rebuild_take_nothing_else_of_their_batch_along() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit((70_001..=70_600).map(written).collect::<Vec<_>>()).unwrap();
    drop(store);
    lab.close().await;
    // Events that were never committed here, as a pull could bring them.
    larder_tests::forge::forget_tables(&lab.sqlite("notebook"));
    let failing = larder_tests::notebook::failing_numbers(&[70_005, 70_300, 70_301, 70_307, 70_599]);
    let store = lab.open::<Notebook>().await;
    drop(failing);
    assert_eq!((store.migrations_report().applied, store.migrations_report().failed), (595, 5));
    let failed = store.failed_events().unwrap();
    let numbers: Vec<_> = failed.iter().map(|failed| failed.event.number.global()).collect();
    assert_eq!(numbers, [5, 300, 301, 307, 599]);
    assert!(failed[0].reason.contains("panicked") && failed[1].reason.contains("not today"), "{failed:?}");
    assert!(failed[3].reason.contains("`OR ROLLBACK` is not allowed"), "{failed:?}");
    assert_eq!(store.query(Note::all().count()).unwrap(), 595);
}

#[tokio::test]
async fn a_cancelled_rebuild_leaves_the_tables_as_they_were_and_the_file_closed() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 3_000).await;
    as_by_another_version(&lab);
    let registry = lab.registry().clone();
    let evicting = registry.clone();
    let get = registry.get::<Notebook>("book:1").progress(move |progress| {
        if progress.done > 0 {
            drop(evicting.evict::<Notebook>("book:1"));
        }
    });
    let error = get.await.unwrap_err();
    assert!(matches!(error, LoadError::Cancelled { .. }), "{error}");
    lab.close().await;
    let sqlite = lab.sqlite("notebook");
    let tables = |name: &str| {
        let sql = "SELECT count(*) FROM sqlite_schema WHERE name = ?";
        sqlite.query_row(sql, [name], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!((tables("gone"), tables("lines")), (1, 0));
    drop(sqlite);
    assert_eq!(lab.open::<Notebook>().await.query(Note::all().count()).unwrap(), 3_000);
}

#[tokio::test]
async fn a_long_log_which_is_read_ahead_is_rebuilt_in_order_and_refused_when_damaged() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 5_000).await;
    as_by_another_version(&lab);
    let store = lab.open::<Notebook>().await;
    assert_eq!((store.migrations_report().applied, store.migrations_report().failed), (5_000, 0));
    assert_eq!(store.query(Note::by_key(5_000)).unwrap().unwrap().text, "note 5000");
    assert!(store.verify().unwrap().is_sound());
    drop(store);
    lab.close().await;
    as_by_another_version(&lab);
    let sqlite = lab.sqlite("notebook");
    let damage = "UPDATE larder_events SET args = replace(args, 'note 3000', 'note 3001') WHERE place = 3000 << 24";
    assert_eq!(sqlite.execute(damage, []).unwrap(), 1);
    sqlite.close().unwrap();
    let error = lab.try_open::<Notebook>().await.unwrap_err();
    assert!(matches!(error, LoadError::Corrupt { .. }) && error.to_string().contains("e3000"), "{error}");
}

#[tokio::test]
async fn a_file_of_a_newer_format_is_left_alone() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 3).await;
    let sqlite = lab.sqlite("notebook");
    sqlite.execute_batch("PRAGMA user_version = 99").unwrap();
    sqlite.close().unwrap();
    let before = fs::read(lab.store_file("notebook")).unwrap();
    let error = lab.try_open::<Notebook>().await.unwrap_err();
    assert!(matches!(error, LoadError::NewerFormat { found: 99, known: 1, .. }), "{error}");
    lab.close().await;
    assert_eq!(fs::read(lab.store_file("notebook")).unwrap(), before);
}

#[tokio::test]
async fn a_file_whose_newer_format_stands_in_its_wal_is_left_alone_with_its_wal() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 3).await;
    let file = lab.store_file("notebook");
    // A newer larder that was killed: the files are copied while it has them open.
    let newer = lab.sqlite("notebook");
    newer.execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 99").unwrap();
    let mut killed = Lab::on_disk();
    drop(killed.open::<Notebook>().await);
    killed.close().await;
    let copy = killed.store_file("notebook");
    let files = |at: &std::path::Path| ["", "-wal"].map(|ending| fs::read(with_ending(at, ending)).unwrap());
    let before = files(&file);
    for (bytes, ending) in before.iter().zip(["", "-wal"]) {
        fs::write(with_ending(&copy, ending), bytes).unwrap();
    }
    let mark = with_ending(&copy, ".lock");
    let text = fs::read_to_string(&mark).unwrap().replace("closed sound  ", "open sound    ");
    fs::write(&mark, text).unwrap();
    let error = killed.try_open::<Notebook>().await.unwrap_err();
    assert!(matches!(error, LoadError::NewerFormat { found: 99, known: 1, .. }), "{error}");
    killed.close().await;
    assert_eq!(files(&copy), before);
}

#[tokio::test]
async fn opening_reads_the_end_of_the_log_and_not_the_rest() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 2_000).await;
    let sqlite = lab.sqlite("notebook");
    sqlite.execute("UPDATE larder_events SET args = '{}' WHERE place = 1000 << 24", []).unwrap();
    sqlite.close().unwrap();
    // The damage in the middle is not touched by opening, by commits, or by reading tables.
    let store = lab.open::<Notebook>().await;
    store.commit(NoteEvent::Erased(1)).unwrap();
    assert_eq!(store.query(Note::all().count()).unwrap(), 1_999);
}

#[tokio::test]
async fn a_panic_in_the_apps_code_during_a_rebuild_fails_the_load_and_closes_the_file() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 1_000).await;
    as_by_another_version(&lab);
    let get = lab.registry().get::<Notebook>("book:1").progress(|progress| assert!(progress.done < 500, "too far"));
    let error = get.await.unwrap_err();
    assert!(matches!(error, LoadError::Panicked { .. }), "{error}");
    assert_eq!(lab.open::<Notebook>().await.query(Note::all().count()).unwrap(), 1_000);
}

#[tokio::test]
async fn what_tables_refuse_is_refused_after_a_rebuild_too() {
    let mut lab = Lab::on_disk();
    for turn in 0..2 {
        let store = lab.open::<BoardStore>().await;
        assert_eq!(store.migrations_report().rebuilt(), turn == 1);
        store.commit([added(10 * turn + 1), added(10 * turn + 2)]).unwrap();
        for refused in [
            "UPDATE cards SET title = 'the same'",
            "UPDATE cards SET parent = 77",
            "INSERT INTO remarks VALUES (77, 'of no card')",
            "UPDATE cards SET lane = NULL",
            "UPDATE cards SET weight = 'much'",
        ] {
            let error = store.commit(BoardEvent::SqlRun(refused.to_owned())).unwrap_err();
            assert!(matches!(error.kind(), CommitErrorKind::Materialize { .. }), "{refused}: {error}");
        }
        drop(store);
        lab.close().await;
        let sqlite = lab.sqlite("board");
        sqlite.execute_batch("UPDATE larder_meta SET value = zeroblob(16) WHERE key = 'fingerprint'").unwrap();
        sqlite.close().unwrap();
    }
}

#[tokio::test]
async fn tables_indexes_and_triggers_that_somebody_changed_are_made_anew() {
    for change in [
        "DROP INDEX @index",
        "DROP INDEX @index; CREATE INDEX @index ON cards (title)",
        "DROP TABLE remarks",
        "ALTER TABLE cards ADD COLUMN more TEXT",
        "CREATE TABLE theirs (x)",
        "CREATE VIEW theirs AS SELECT 1",
        "CREATE TRIGGER theirs AFTER INSERT ON cards BEGIN DELETE FROM remarks; END",
        "CREATE TRIGGER theirs AFTER INSERT ON larder_events BEGIN DELETE FROM cards; END",
        "DELETE FROM larder_meta WHERE key = 'schema'",
    ] {
        let mut lab = Lab::on_disk();
        let store = lab.open::<BoardStore>().await;
        store.commit([added(1), added(2)]).unwrap();
        drop(store);
        lab.close().await;
        let before = objects(&lab);
        let index = before.iter().find(|(kind, ..)| kind == "index").map(|(_, name, _)| name.as_str()).unwrap();
        lab.sqlite("board").execute_batch(&change.replace("@index", index)).unwrap();
        assert!(change.starts_with("DELETE") || objects(&lab) != before);
        let store = lab.open::<BoardStore>().await;
        let report = store.migrations_report();
        assert_eq!(report.migration, Migration::Rebuilt(RebuildReason::Damaged), "{change}");
        assert!(store.verify().unwrap().is_sound(), "{change}");
        drop(store);
        lab.close().await;
        assert_eq!(objects(&lab), before, "{change}");
        assert!(!lab.open::<BoardStore>().await.migrations_report().rebuilt(), "{change}");
        lab.close().await;
    }
}

/// What SQLite's list of tables, indexes, triggers and views says.
fn objects(lab: &Lab) -> Vec<(String, String, String)> {
    let sqlite = lab.sqlite("board");
    let sql = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name";
    let mut statement = sqlite.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}
