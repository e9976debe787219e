//! Change records: beside each event that is not confirmed, what undoes it; in memory first, and in the file when the store is idle or closed.
//! Those of the file are decoded here a second time, after the disk format's description.

use std::{sync::Arc, time::Duration};

use larder::StoreOptions;
use larder_tests::{
    forge,
    lab::Lab,
    notebook::{NoteEvent, Notebook, written},
};
use proptest::{prelude::*, sample::select};
use rusqlite::{Connection, types::Value as Sql};

use crate::{
    board::{BoardEvent, BoardStore, added},
    registry::{
        fake::{Fake, synced},
        support::{self, Bench, NoteStore},
    },
};

/// Stores whose backend is connected when the test says so.
fn offline() -> (Arc<Fake>, Lab) {
    let fake = Fake::new("wss://one", false);
    let mut lab = Lab::on_memory_disk();
    lab.set_defaults(synced(&fake));
    (fake, lab)
}

/// There is nobody to send to.
async fn close(lab: &mut Lab) {
    lab.close_within(Duration::ZERO).await;
}

/// One changed row: its table, its values before, its values after.
#[derive(Debug, PartialEq)]
struct Changed {
    table: String,
    old: Option<Vec<Sql>>,
    new: Option<Vec<Sql>>,
}

/// The records in a store's file, newest first.
fn records(sqlite: &Connection) -> Vec<(i64, Vec<Changed>)> {
    let sql = "SELECT place, changes FROM larder_changes ORDER BY place DESC";
    let mut statement = sqlite.prepare(sql).expect("the store has a backend");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
    rows.map(|row| row.map(|(place, bytes)| (place, decode(&bytes))).unwrap()).collect()
}

/// The numbers of the events that have one.
pub(crate) fn places(sqlite: &Connection) -> Vec<String> {
    let number = |place: i64| match (place >> forge::CLIENT_BITS, place & ((1 << forge::CLIENT_BITS) - 1)) {
        (global, 0) => format!("e{global}"),
        (global, client) => format!("e{global}.{client}"),
    };
    records(sqlite).into_iter().rev().map(|(place, _)| number(place)).collect()
}

fn decode(mut bytes: &[u8]) -> Vec<Changed> {
    let mut changes = Vec::new();
    while !bytes.is_empty() {
        let Sql::Text(table) = value(&mut bytes) else { panic!("a table's name") };
        let kind = take(&mut bytes, 1)[0];
        let columns = u32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap());
        let mut row = |there: bool| there.then(|| (0..columns).map(|_| value(&mut bytes)).collect());
        changes.push(Changed { table, old: row(kind != 0), new: row(kind != 2) });
    }
    changes
}

fn value(bytes: &mut &[u8]) -> Sql {
    let kind = take(bytes, 1)[0];
    let length = u64::from_le_bytes(take(bytes, 8).try_into().unwrap());
    let value = take(bytes, usize::try_from(length).unwrap());
    match kind {
        0 => Sql::Null,
        1 => Sql::Integer(i64::from_le_bytes(value.try_into().unwrap())),
        2 => Sql::Real(f64::from_le_bytes(value.try_into().unwrap())),
        3 => Sql::Text(String::from_utf8(value.to_vec()).unwrap()),
        4 => Sql::Blob(value.to_vec()),
        other => panic!("a value of kind {other}"),
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}

/// Undoes one record: its last change first, and each change is of exactly one row.
fn undo(sqlite: &Connection, changes: &[Changed]) {
    for change in changes.iter().rev() {
        let columns: Vec<String> = sqlite
            .prepare(&format!("SELECT name FROM pragma_table_info('{}')", change.table))
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .unwrap();
        let each =
            |text: &str, by: &str| columns.iter().map(|name| format!("{name} {text} ?")).collect::<Vec<_>>().join(by);
        let table = &change.table;
        let (sql, values) = match (&change.old, &change.new) {
            (None, Some(new)) => (format!("DELETE FROM {table} WHERE {}", each("IS", " AND ")), new.clone()),
            (Some(old), None) => {
                (format!("INSERT INTO {table} VALUES ({})", vec!["?"; old.len()].join(", ")), old.clone())
            }
            (Some(old), Some(new)) => (
                format!("UPDATE {table} SET {} WHERE {}", each("=", ", "), each("IS", " AND ")),
                [&old[..], new].concat(),
            ),
            (None, None) => panic!("nothing changed"),
        };
        assert_eq!(sqlite.execute(&sql, rusqlite::params_from_iter(values)).unwrap(), 1, "{change:?}");
    }
}

/// All rows of the board's tables.
fn rows(sqlite: &Connection) -> Vec<Vec<Sql>> {
    ["SELECT * FROM cards ORDER BY number", "SELECT * FROM remarks ORDER BY card, at"]
        .iter()
        .flat_map(|sql| {
            let mut statement = sqlite.prepare(sql).unwrap();
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
            rows.unwrap().collect::<Result<Vec<_>, _>>().unwrap()
        })
        .collect()
}

pub(crate) fn any_event() -> impl Strategy<Value = BoardEvent> {
    let sql = [
        "UPDATE cards SET weight = coalesce(weight, 0) + 0.5 WHERE number % 2 = 0",
        "REPLACE INTO remarks SELECT number, 'again' FROM cards",
        "UPDATE cards SET parent = (SELECT min(number) FROM cards)",
        "UPDATE cards SET number = number + 10 WHERE number = 3 AND parent IS NULL",
        "DELETE FROM remarks",
    ];
    let card = 1..6_i64;
    prop_oneof![
        4 => (card.clone(), any::<Option<i8>>()).prop_map(|(number, weight)| BoardEvent::Added { number, weight: weight.map(f64::from) }),
        2 => (card.clone(), prop::collection::vec("[a-c]", 1..4)).prop_map(|(card, at)| BoardEvent::Remarked { card, at }),
        2 => (card.clone(), any::<bool>()).prop_map(|(number, done)| BoardEvent::Moved { number, done }),
        2 => card.clone().prop_map(BoardEvent::Removed),
        2 => card.clone().prop_map(BoardEvent::Replaced),
        1 => card.prop_map(BoardEvent::AddedTwice),
        3 => select(sql.to_vec()).prop_map(|sql| BoardEvent::SqlRun(sql.to_owned())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn undoing_the_records_newest_first_gives_every_state_that_the_tables_had(
        commits in prop::collection::vec(prop::collection::vec(any_event(), 1..4), 1..16),
        listened in any::<bool>(),
        rebuilt in any::<bool>(),
    ) {
        let (_fake, mut lab) = offline();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut states = vec![(0, Vec::new())];
        runtime.block_on(async {
            let store = lab.open::<BoardStore>().await;
            let sqlite = lab.sqlite("board");
            // Who listens has the same records taken out of the same buffer.
            let stream = listened.then(|| store.changes());
            store.commit(added(6)).unwrap();
            states.push((1, rows(&sqlite)));
            for commit in commits {
                if store.commit(commit).is_ok() {
                    states.push((store.head().global(), rows(&sqlite)));
                }
            }
            drop((stream, sqlite, store));
            close(&mut lab).await;
            if rebuilt {
                forge::forget_tables(&lab.sqlite("board"));
                let store = lab.open::<BoardStore>().await;
                assert!(store.migrations_report().rebuilt());
                assert!(store.verify().unwrap().is_sound());
                drop(store);
                close(&mut lab).await;
            }
        });
        let sqlite = lab.sqlite("board");
        let records = records(&sqlite);
        assert_eq!(records.len() as u64, states.last().unwrap().0, "each event has one");
        sqlite.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        for (place, changes) in records {
            if states.last().unwrap().0 == (place >> forge::CLIENT_BITS).unsigned_abs() {
                assert_eq!(rows(&sqlite), states.pop().unwrap().1);
            }
            undo(&sqlite, &changes);
        }
        assert_eq!((rows(&sqlite), states.len()), (Vec::new(), 1));
    }
}

#[tokio::test]
async fn a_record_is_in_the_file_from_the_first_quiet_second_on_until_its_event_is_confirmed() {
    let (fake, lab) = offline();
    let bench = Bench::with(|builder| builder.data_dir(lab.data_dir()).defaults(synced(&fake)));
    let store = bench.get::<Notebook>("book:1").await.unwrap();
    store.commit([NoteEvent::LookedAt(1), written(1), NoteEvent::LookedAt(1), written(2)]).unwrap();
    let sqlite = lab.sqlite("notebook");
    assert!(places(&sqlite).is_empty(), "most are confirmed before that");
    bench.advance(5).await;
    assert_eq!(places(&sqlite), ["e1", "e1.1", "e2"], "what belongs to nothing that can be undone has none");
    drop(store);
    fake.connect(true);
    bench.advance(30).await;
    assert_eq!((fake.received("book:1"), places(&sqlite).len()), (2, 0));
    fake.connect(false);
    let store = bench.get::<Notebook>("book:1").await.unwrap();
    store.commit([NoteEvent::LookedAt(1), written(4)]).unwrap();
    drop(store);
    bench.evict::<Notebook>("book:1").await.unwrap();
    assert_eq!(places(&sqlite), ["e3"]);
    // A load knows what is confirmed.
    let store = bench.get::<Notebook>("book:1").await.unwrap();
    store.commit([NoteEvent::LookedAt(1), written(5)]).unwrap();
    bench.advance(5).await;
    assert_eq!(places(&sqlite), ["e3", "e3.1", "e4"]);
}

#[tokio::test]
async fn records_are_in_the_file_as_soon_as_there_are_too_many_for_memory() {
    let (_fake, mut lab) = offline();
    let store = lab.open::<Notebook>().await;
    let sqlite = lab.sqlite("notebook");
    let commit = |numbers: std::ops::Range<i64>| store.commit(numbers.map(written).collect::<Vec<_>>()).unwrap();
    (0..3).for_each(|at| drop(commit(at * 682..(at + 1) * 682)));
    assert_eq!(places(&sqlite).len(), 0, "there is room for 2,048");
    commit(2_046..2_100);
    assert_eq!(places(&sqlite).len(), 2_100);
    commit(2_100..2_200);
    drop(store);
    close(&mut lab).await;
    assert_eq!(places(&sqlite).len(), 2_200);
    assert!(lab.open::<Notebook>().await.verify().unwrap().is_sound());
}

#[tokio::test]
async fn a_store_without_a_backend_has_no_records_and_drops_those_that_it_finds_at_its_first_commit() {
    let (fake, mut lab) = offline();
    drop(lab.open::<Notebook>().await.commit(written(1)));
    close(&mut lab).await;
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'larder_changes'";
    let count = |lab: &Lab| lab.sqlite("notebook").query_row(tables, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(&lab), 1);
    lab.set_defaults(StoreOptions::default());
    drop(lab.open::<Notebook>().await);
    close(&mut lab).await;
    assert_eq!(count(&lab), 1, "nothing was committed, so they still hold");
    drop(lab.open::<Notebook>().await.commit(written(2)));
    close(&mut lab).await;
    assert_eq!(count(&lab), 0);
    lab.set_defaults(synced(&fake));
    let store = lab.open::<Notebook>().await;
    assert!(!store.migrations_report().rebuilt());
    store.commit(written(3)).unwrap();
    drop(store);
    close(&mut lab).await;
    assert_eq!(places(&lab.sqlite("notebook")), ["e3"], "those before it have none");
}

#[tokio::test]
async fn a_failed_commit_leaves_no_record_and_one_that_changes_no_row_has_an_empty_one() {
    let (_fake, mut lab) = offline();
    let store = lab.open::<BoardStore>().await;
    store.commit(added(1)).unwrap();
    store.commit([added(2), added(1)]).expect_err("the second is refused");
    store.commit(BoardEvent::Removed(7)).unwrap();
    drop(store);
    close(&mut lab).await;
    let records = records(&lab.sqlite("board"));
    assert_eq!(records.iter().map(|(_, changes)| changes.len()).collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn an_event_that_changes_more_than_a_record_holds_has_none_and_the_next_one_has() {
    let (_fake, mut lab) = offline();
    let store = lab.open::<BoardStore>().await;
    let sql = |sql: &str| BoardEvent::SqlRun(sql.to_owned());
    store.commit(added(1)).unwrap();
    // 5 MiB before and after.
    store.commit([sql("UPDATE cards SET picture = zeroblob(5 * 1048576)"), added(2)]).unwrap();
    let many = "WITH n (at) AS (VALUES (1) UNION ALL SELECT at + 1 FROM n WHERE at < 70000) INSERT INTO remarks SELECT 2, at FROM n";
    store.commit([sql(many), added(3)]).unwrap();
    drop(store);
    close(&mut lab).await;
    assert_eq!(places(&lab.sqlite("board")), ["e1", "e3", "e5"]);
}

#[tokio::test]
async fn damage_to_a_record_is_found_by_verify_and_the_next_load_makes_it_anew() {
    let (_fake, mut lab) = offline();
    let store = lab.open::<Notebook>().await;
    store.commit([written(1), written(2)]).unwrap();
    drop(store);
    close(&mut lab).await;
    let store = lab.open::<Notebook>().await;
    let sqlite = lab.sqlite("notebook");
    let before = records(&sqlite);
    assert!(store.verify().unwrap().is_sound());
    sqlite.execute("UPDATE larder_changes SET place = 3 << 24, changes = changes WHERE place = 2 << 24", []).unwrap();
    sqlite.execute("UPDATE larder_changes SET changes = zeroblob(9) WHERE place = 1 << 24", []).unwrap();
    let report = store.verify().unwrap();
    assert_eq!((report.damaged_change_records, report.is_sound()), (2, false));
    drop((store, sqlite));
    close(&mut lab).await;
    let store = lab.open::<Notebook>().await;
    assert!(store.migrations_report().rebuilt() && store.verify().unwrap().is_sound());
    assert_eq!(records(&lab.sqlite("notebook")), before);
}

#[tokio::test]
async fn an_idle_store_keeps_records_again_when_it_is_written() {
    let (fake, lab) = offline();
    let bench = Bench::with(|builder| builder.data_dir(lab.data_dir()).defaults(synced(&fake)));
    let store = bench.get::<NoteStore>("n").await.unwrap();
    store.commit(support::written(1)).unwrap();
    bench.advance(5).await;
    store.commit(support::written(2)).unwrap();
    assert_eq!(places(&lab.sqlite("note")), ["e1"]);
    bench.advance(5).await;
    assert_eq!(places(&lab.sqlite("note")), ["e1", "e2"]);
}

/// The bytes of a record, pinned: a file of today is to be undone by a build of tomorrow.
#[tokio::test]
async fn the_bytes_of_a_record_never_change() {
    let (_fake, mut lab) = offline();
    drop(lab.open::<Notebook>().await.commit(written(1)));
    close(&mut lab).await;
    let sqlite = lab.sqlite("notebook");
    let ddl: String =
        sqlite.query_row("SELECT sql FROM sqlite_schema WHERE name = 'larder_changes'", [], |row| row.get(0)).unwrap();
    assert_eq!(
        ddl,
        "CREATE TABLE larder_changes (place INTEGER PRIMARY KEY, changes BLOB NOT NULL, checksum BLOB NOT NULL) STRICT"
    );
    let bytes: Vec<u8> = sqlite.query_row("SELECT changes FROM larder_changes", [], |row| row.get(0)).unwrap();
    let text = |text: &str| [&[3][..], &(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let one = [&[1][..], &8_u64.to_le_bytes(), &1_i64.to_le_bytes()].concat();
    assert_eq!(bytes, [text("notes"), vec![0, 2, 0, 0, 0], one, text("note 1")].concat());
}
