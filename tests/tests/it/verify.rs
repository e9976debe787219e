//! `verify`: damage that SQLite does not notice.

use crate::board::{BoardStore, Card, Lane, added};

use larder_tests::{
    lab::Lab,
    notebook::{Note, NoteEvent, Notebook, note, written},
};

#[tokio::test]
async fn sound_tables_are_what_the_log_makes() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        store.commit((1..=300).map(written).collect::<Vec<_>>()).unwrap();
        store.commit([NoteEvent::LineAdded { note: 3, at: 1 }, NoteEvent::Erased(7)]).unwrap();
        let report = store.verify().unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!(report.events, 302);
        let rows: Vec<_> = report.tables.iter().map(|table| (table.name, table.rows)).collect();
        assert_eq!(rows, [("notes", 299), ("lines", 1)]);
    }
}

#[tokio::test]
async fn a_changed_row_is_found_and_the_next_load_rebuilds() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit([written(1), written(2), NoteEvent::LineAdded { note: 1, at: 1 }]).unwrap();
    drop(store);
    lab.close().await;
    let sqlite = lab.sqlite("notebook");
    sqlite.execute("UPDATE notes SET text = 'note 3' WHERE number = 2", []).unwrap();
    sqlite.close().unwrap();
    let store = lab.open::<Notebook>().await;
    let report = store.verify().unwrap();
    assert!(!report.is_sound());
    let sound: Vec<_> = report.tables.iter().map(|table| (table.name, table.is_sound())).collect();
    assert_eq!(sound, [("notes", false), ("lines", true)]);
    drop(store);
    lab.close().await;
    let store = lab.open::<Notebook>().await;
    assert_eq!(store.query(Note::all()).unwrap(), [note(1), note(2)]);
    assert_eq!(store.migrations_report().migration, larder::Migration::Rebuilt(larder::RebuildReason::Damaged));
    assert!(store.verify().unwrap().is_sound());
    assert_eq!(store.commit(written(4)).unwrap().last(), Some("e4".parse().unwrap()));
}

/// A row that its index has lost is found by its key and by no filter.
#[tokio::test]
async fn a_damaged_index_is_found_and_the_next_load_rebuilds() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<BoardStore>().await;
    store.commit((1..=3).map(added).collect::<Vec<_>>()).unwrap();
    drop(store);
    lab.close().await;
    let sqlite = lab.sqlite("board");
    let sql = "SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'cards' AND sql LIKE '%lane%'";
    let page = sqlite.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap() as usize;
    sqlite.close().unwrap();
    let file = lab.store_file("board");
    let mut bytes = std::fs::read(&file).unwrap();
    let index = &mut bytes[(page - 1) * 4_096..page * 4_096];
    let entry = index.windows(4).position(|text| text == b"Open").unwrap();
    index[entry] = b'o';
    std::fs::write(&file, bytes).unwrap();

    let in_lane = || Card::filter(Card::LANE.eq(Lane::Open)).count();
    let store = lab.open::<BoardStore>().await;
    assert_eq!(store.query(in_lane()).unwrap(), 2, "the index has lost one");
    let report = store.verify().unwrap();
    let damage = report.tables.iter().find_map(|table| table.damage.clone()).unwrap();
    assert!(damage.contains("missing from index"), "{damage}");
    assert!(!report.is_sound());
    drop(store);
    lab.close().await;
    let store = lab.open::<BoardStore>().await;
    assert_eq!(store.migrations_report().migration, larder::Migration::Rebuilt(larder::RebuildReason::Damaged));
    assert_eq!(store.query(in_lane()).unwrap(), 3);
    assert!(store.verify().unwrap().is_sound());
}

#[tokio::test]
async fn damage_of_the_log_is_in_the_report() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit((1..=5).map(written).collect::<Vec<_>>()).unwrap();
    drop(store);
    lab.close().await;
    let sqlite = lab.sqlite("notebook");
    sqlite.execute("UPDATE larder_events SET args = replace(args, 'note', 'note!') WHERE place = 2 << 24", []).unwrap();
    sqlite.close().unwrap();
    let store = lab.open::<Notebook>().await;
    let report = store.verify().unwrap();
    assert!(report.log_damage.unwrap().contains("event e2"));
}
