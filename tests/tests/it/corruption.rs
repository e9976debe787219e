//! Damage: what is found when, and that nothing is lost without a word.

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use larder::{EventNumber, LoadError, QueryErrorKind, StoreError};
use larder_tests::{
    lab::{Lab, with_ending},
    notebook::{Note, Notebook, written},
};

async fn with_events(lab: &mut Lab, count: i64) {
    let store = lab.open::<Notebook>().await;
    let all = (1..=count).map(written).collect::<Vec<_>>();
    all.chunks(1_000).for_each(|events| drop(store.commit(events).unwrap()));
    drop(store);
    lab.close().await;
}

fn sql(lab: &Lab, sql: &str) {
    let sqlite = lab.sqlite("notebook");
    sqlite.execute_batch(sql).unwrap();
    sqlite.close().unwrap();
}

async fn corrupt(lab: &mut Lab) -> String {
    let error = lab.try_open::<Notebook>().await.unwrap_err();
    assert!(matches!(error, LoadError::Corrupt { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn damage_of_the_last_row_is_found_at_open() {
    for damage in [
        "UPDATE larder_events SET args = '{\"number\":9}' WHERE place = (SELECT max(place) FROM larder_events)",
        "UPDATE larder_events SET name = 'v1.NoteErased' WHERE place = (SELECT max(place) FROM larder_events)",
        "UPDATE larder_events SET checksum = zeroblob(16) WHERE place = (SELECT max(place) FROM larder_events)",
        "UPDATE larder_events SET checksum = x'00' WHERE place = (SELECT max(place) FROM larder_events)",
        "UPDATE larder_events SET author = 77 WHERE place = (SELECT max(place) FROM larder_events)",
        "UPDATE larder_authors SET client_id = 'somebody'",
        "UPDATE larder_events SET place = place + 5 WHERE place = (SELECT max(place) FROM larder_events)",
        "DELETE FROM larder_events WHERE place = 2 << 24",
        "UPDATE larder_meta SET value = randomblob(16) WHERE key = 'file_id'",
        "DELETE FROM larder_meta WHERE key = 'file_id'",
    ] {
        let mut lab = Lab::on_disk();
        with_events(&mut lab, 3).await;
        sql(&lab, damage);
        let message = corrupt(&mut lab).await;
        assert!(message.contains("larder::doctor"), "{damage}: {message}");
    }
}

#[tokio::test]
async fn damage_in_the_middle_of_the_log_is_found_when_it_is_read_and_stops_the_store() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 1_000).await;
    sql(&lab, "UPDATE larder_events SET args = replace(args, 'note 500', 'note 501') WHERE place = 500 << 24");
    let store = lab.open::<Notebook>().await;
    let mut events = store.events(EventNumber::ZERO);
    let error = loop {
        match events.next().await.unwrap() {
            Ok(event) => assert!(event.number < EventNumber::synced(500)),
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, StoreError::Stopped { reason, .. } if reason.contains("event e500")), "{error}");
    let stopped = store.query(Note::all()).unwrap_err();
    assert!(matches!(stopped.kind(), QueryErrorKind::Store(StoreError::Stopped { .. })), "{stopped}");
    assert!(store.commit(written(2_000)).is_err());
}

#[tokio::test]
async fn a_rebuild_over_a_damaged_log_is_refused_and_changes_nothing() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 1_000).await;
    sql(
        &lab,
        "UPDATE larder_events SET args = '{}' WHERE place = 500 << 24;
         UPDATE larder_meta SET value = zeroblob(16) WHERE key = 'fingerprint'",
    );
    for _ in 0..2 {
        assert!(corrupt(&mut lab).await.contains("event e500"));
        lab.close().await;
    }
    let sqlite = lab.sqlite("notebook");
    assert_eq!(sqlite.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)).unwrap(), 1_000);
}

#[tokio::test]
async fn a_store_file_copied_over_anothers_is_refused() {
    let mut lab = Lab::on_disk();
    let registry = lab.registry().clone();
    registry.get::<Notebook>("book:1").await.unwrap().commit(written(1)).unwrap();
    lab.close().await;
    let first = lab.store_file("notebook");
    let kept = lab.beside("kept.db");
    fs::rename(&first, &kept).unwrap();
    fs::remove_file(with_ending(&first, ".lock")).unwrap();
    let second = lab.registry().get::<Notebook>("book:2").await.unwrap();
    second.commit(written(2)).unwrap();
    drop(second);
    lab.close().await;
    let second = lab.store_file("notebook");
    fs::copy(&kept, &second).unwrap();
    let error = lab.registry().get::<Notebook>("book:2").await.unwrap_err();
    assert!(matches!(&error, LoadError::WrongFile { reason, .. } if reason.contains("notebook/book:1")), "{error}");
}

#[tokio::test]
async fn the_file_of_another_definitions_store_is_refused() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 1).await;
    sql(&lab, "UPDATE larder_meta SET value = 'diary' WHERE key = 'definition'");
    let error = lab.try_open::<Notebook>().await.unwrap_err();
    assert!(matches!(&error, LoadError::WrongFile { reason, .. } if reason.contains("diary/book:1")), "{error}");
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_and_not_touched() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 1).await;
    let file = lab.store_file("notebook");
    fs::remove_file(with_ending(&file, ".lock")).unwrap();
    fs::remove_file(&file).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    other.close().unwrap();
    let before = fs::read(&file).unwrap();
    let error = lab.try_open::<Notebook>().await.unwrap_err();
    assert!(matches!(error, LoadError::WrongFile { .. }), "{error}");
    lab.close().await;
    assert_eq!(fs::read(&file).unwrap(), before);
    fs::write(&file, "no database at all, but long enough to look like one if nobody reads it").unwrap();
    let error = lab.try_open::<Notebook>().await.unwrap_err();
    assert!(matches!(error, LoadError::WrongFile { .. }), "{error}");
}

#[tokio::test]
async fn an_emptied_or_missing_file_of_a_store_that_was_there_is_reported() {
    let empty = |file: &Path| fs::write(file, "").unwrap();
    let remove = |file: &Path| fs::remove_file(file).unwrap();
    for damage in [&empty as &dyn Fn(&Path), &remove] {
        let mut lab = Lab::on_disk();
        with_events(&mut lab, 1).await;
        damage(&lab.store_file("notebook"));
        assert!(corrupt(&mut lab).await.contains("missing or empty"));
    }
}

#[tokio::test]
async fn rows_that_a_damaged_page_does_not_show_any_more_are_missed() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 130).await;
    let file = lab.store_file("notebook");
    let sound = fs::read(&file).unwrap();
    let holds = |page: &[u8], text: &str| page.windows(text.len()).any(|found| found == text.as_bytes());
    let is_last = |page: &[u8]| page[0] == 13 && holds(page, "v1.NoteWritten") && holds(page, "note 130");
    let last = sound.chunks(4_096).position(is_last).unwrap() * 4_096;
    let cells = u16::from_be_bytes([sound[last + 3], sound[last + 4]]);
    for shown in 1..cells {
        let mut damaged = sound.clone();
        damaged[last + 3..last + 5].copy_from_slice(&shown.to_be_bytes());
        fs::write(&file, &damaged).unwrap();
        let problems = larder::doctor::check(&file).unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains("are missing")), "{shown}: {problems:?}");
        let message = corrupt(&mut lab).await;
        assert!(message.contains(&format!("the {} after it are missing", cells - shown)), "{shown}: {message}");
        lab.close().await;
    }
}

/// Overwrites one page.
fn zero_page(lab: &Lab, page: u64) {
    let mut file = fs::File::options().read(true).write(true).open(lab.store_file("notebook")).unwrap();
    file.seek(SeekFrom::Start((page - 1) * 4096)).unwrap();
    file.write_all(&[0; 4096]).unwrap();
    file.sync_all().unwrap();
}

fn root_page(lab: &Lab, table: &str) -> u64 {
    let sqlite = lab.sqlite("notebook");
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?";
    let page: i64 = sqlite.query_row(sql, [table], |row| row.get(0)).unwrap();
    page.unsigned_abs()
}

#[tokio::test]
async fn damaged_tables_stop_the_store_at_first_touch_and_are_rebuilt_by_the_next_load() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 2_000).await;
    let page = root_page(&lab, "notes");
    zero_page(&lab, page);
    let store = lab.open::<Notebook>().await;
    let error = store.query(Note::all()).unwrap_err();
    assert!(matches!(error.kind(), QueryErrorKind::Store(StoreError::Stopped { .. })), "{error}");
    drop(store);
    lab.close().await;
    let store = lab.open::<Notebook>().await;
    assert_eq!(store.migrations_report().migration, larder::Migration::Rebuilt(larder::RebuildReason::Damaged));
    assert_eq!(store.query(Note::all().count()).unwrap(), 2_000);
    assert!(store.verify().unwrap().is_sound());
    assert_eq!(store.commit(written(2_001)).unwrap().last(), Some(EventNumber::synced(2_001)));
    drop(store);
    lab.close().await;
    assert_eq!(lab.open::<Notebook>().await.query(Note::all().count()).unwrap(), 2_001);
}

#[tokio::test]
async fn a_stopped_store_leaves_the_registry_and_its_handles_say_why() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 2_000).await;
    let page = root_page(&lab, "notes");
    zero_page(&lab, page);
    let registry = lab.registry().clone();
    let store = registry.get::<Notebook>("book:1").await.unwrap();
    store.query(Note::all()).unwrap_err();
    assert!(store.commit(written(9_999)).unwrap_err().to_string().contains("damaged"));
    let again = registry.get::<Notebook>("book:1").await.unwrap();
    assert_eq!(again.query(Note::all().count()).unwrap(), 2_000);
    assert!(store.query(Note::all()).is_err());
}

#[tokio::test]
async fn a_log_of_which_the_end_of_any_page_is_zeroed_is_whole_or_an_error() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 130).await;
    let file = lab.store_file("notebook");
    let sound = fs::read(&file).unwrap();
    for sector in 0..sound.len() / 512 {
        // From this sector to the end of its page.
        let (begin, end) = (sector * 512, (sector * 512 / 4_096 + 1) * 4_096);
        let mut damaged = sound.clone();
        damaged[begin..end].fill(0);
        fs::write(&file, &damaged).unwrap();
        if let Ok(store) = lab.try_open::<Notebook>().await {
            assert_eq!(store.head(), EventNumber::synced(130), "sector {sector}");
            let mut events = store.events(EventNumber::ZERO);
            for number in 1..=130 {
                match events.next().await {
                    Some(Ok(event)) => assert_eq!(event.number, EventNumber::synced(number), "sector {sector}"),
                    Some(Err(StoreError::Stopped { .. })) => break,
                    other => panic!("sector {sector}: {other:?} instead of event {number}"),
                }
            }
        }
        lab.close().await;
        for ending in ["-wal", "-shm", ".lock", ".new"] {
            let _ = fs::remove_file(with_ending(&file, ending));
        }
        // What can be read of it is exported, whatever that is.
        let mut exported = Vec::new();
        let _ = larder::doctor::export(&file, &mut exported);
    }
}

#[tokio::test]
async fn whatever_bit_flips_nothing_panics_and_every_event_that_is_shown_is_true() {
    let mut lab = Lab::on_disk();
    with_events(&mut lab, 200).await;
    let file = lab.store_file("notebook");
    let mut sound = Vec::new();
    fs::File::open(&file).unwrap().read_to_end(&mut sound).unwrap();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..60 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bit = (seed >> 11) as usize % (sound.len() * 8);
        let mut damaged = sound.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, &damaged).unwrap();
        if let Ok(store) = lab.try_open::<Notebook>().await {
            assert_eq!(store.head(), EventNumber::synced(200), "bit {bit}");
            let mut events = store.events(EventNumber::ZERO);
            for number in 1..=200 {
                match events.next().await {
                    Some(Ok(event)) => assert_eq!(event.decode().unwrap(), Some(written(number)), "bit {bit}"),
                    Some(Err(StoreError::Stopped { .. })) => break,
                    other => panic!("bit {bit}: {other:?} instead of event {number}"),
                }
            }
        }
        lab.close().await;
        // Whatever was found, the next round begins with a file that was closed.
        for ending in ["-wal", "-shm", ".lock", ".new"] {
            let _ = fs::remove_file(with_ending(&file, ending));
        }
    }
}
