//! The doctor: what is wrong with a file, and what of its log can still be read.

use std::{
    fs,
    io::{Seek, SeekFrom, Write},
};

use larder::doctor::{self, DoctorError};
use larder_tests::{
    lab::Lab,
    notebook::{NoteEvent, Notebook, written},
};

async fn with_events(count: i64) -> Lab {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit((1..=count).map(written).collect::<Vec<_>>()).unwrap();
    store.commit([NoteEvent::LookedAt(1), NoteEvent::AllErased]).unwrap();
    drop(store);
    lab.close().await;
    lab
}

fn export(lab: &Lab) -> (doctor::ExportReport, Vec<serde_json::Value>) {
    let mut out = Vec::new();
    let report = doctor::export(lab.store_file("notebook"), &mut out).unwrap();
    let lines = String::from_utf8(out).unwrap();
    (report, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[tokio::test]
async fn a_sound_file_has_no_problems_and_exports_every_event() {
    let lab = with_events(3).await;
    let report = doctor::check(lab.store_file("notebook")).unwrap();
    assert!(report.is_sound() && report.closed_cleanly, "{report:?}");
    assert_eq!((report.definition.as_deref(), report.store_id.as_deref()), (Some("notebook"), Some("book:1")));
    assert_eq!(report.sound_events, 5);
    let (report, lines) = export(&lab);
    assert_eq!((report.events, report.damaged, report.unreadable), (5, 0, Vec::new()));
    assert_eq!(lines[0]["number"], "e1");
    assert_eq!(lines[0]["args"], serde_json::json!({"number": 1, "text": "note 1"}));
    assert_eq!((&lines[3]["number"], &lines[3]["id"]), (&"e3.1".into(), &serde_json::Value::Null));
    assert_eq!((&lines[4]["args"], &lines[4]["sound"]), (&serde_json::Value::Null, &true.into()));
}

#[tokio::test]
async fn a_file_that_the_doctor_looked_at_opens_as_before() {
    let mut lab = with_events(3).await;
    doctor::check(lab.store_file("notebook")).unwrap();
    export(&lab);
    assert_eq!(lab.open::<Notebook>().await.head(), "e4".parse().unwrap());
}

#[tokio::test]
async fn an_open_store_is_not_looked_at() {
    let mut lab = Lab::on_disk();
    let _store = lab.open::<Notebook>().await;
    assert!(matches!(doctor::check(lab.store_file("notebook")), Err(DoctorError::Locked { .. })));
}

#[tokio::test]
async fn a_damaged_row_is_exported_and_marked() {
    let lab = with_events(10).await;
    let sqlite = lab.sqlite("notebook");
    sqlite.execute("UPDATE larder_events SET args = 'no json' WHERE place = 4 << 24", []).unwrap();
    sqlite.close().unwrap();
    let report = doctor::check(lab.store_file("notebook")).unwrap();
    assert!(report.problems[0].contains("event e4"), "{report:?}");
    assert_eq!(report.sound_events, 3);
    let (report, lines) = export(&lab);
    assert_eq!((report.events, report.damaged), (12, 1));
    assert_eq!((&lines[3]["args"], &lines[3]["sound"]), (&"no json".into(), &false.into()));
    assert_eq!(lines[4]["sound"], true);
}

#[tokio::test]
async fn events_before_between_and_after_damaged_pages_are_exported() {
    let mut lab = with_events(1_000).await;
    let file = lab.store_file("notebook");
    let sqlite = lab.sqlite("notebook");
    let holds = |number: i64| -> i64 {
        let needle = format!("note {number}\"");
        let bytes = fs::read(&file).unwrap();
        let at = bytes.windows(needle.len()).position(|window| window == needle.as_bytes()).unwrap();
        at as i64 / 4096
    };
    let pages = [holds(200), holds(500), holds(800)];
    sqlite.close().unwrap();
    let mut bytes = fs::File::options().write(true).open(&file).unwrap();
    for page in pages {
        bytes.seek(SeekFrom::Start(page.unsigned_abs() * 4096)).unwrap();
        bytes.write_all(&[0; 4096]).unwrap();
    }
    drop(bytes);
    assert!(!doctor::check(&file).unwrap().is_sound());
    let (report, lines) = export(&lab);
    assert_eq!((report.unreadable.len(), report.events as usize), (3, lines.len()));
    assert!(report.events > 850, "{report:?}");
    let numbers: Vec<_> = lines.iter().map(|line| line["number"].as_str().unwrap().to_owned()).collect();
    for number in ["e1", "e350", "e650", "e1000", "e1001"] {
        assert!(numbers.iter().any(|found| found == number), "{number}");
    }
    assert!(lab.try_open::<Notebook>().await.is_ok());
}

#[tokio::test]
async fn an_export_ends_whatever_the_beginning_of_a_page_says_and_has_every_event_once_at_most() {
    let lab = with_events(400).await;
    let sound = fs::read(lab.store_file("notebook")).unwrap();
    let file = lab.beside("damaged.db");
    for at in (0..sound.len()).step_by(4_096).flat_map(|page| (page..page + 24).filter(|at| *at >= 100)) {
        let mut damaged = sound.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&file, damaged).unwrap();
        let mut out = Vec::new();
        let _ = doctor::export(&file, &mut out);
        let lines = String::from_utf8(out).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let numbers: Vec<_> =
            lines.filter(|line| line["sound"] == true).map(|line| line["number"].to_string()).collect();
        let once: std::collections::BTreeSet<_> = numbers.iter().collect();
        assert_eq!(once.len(), numbers.len(), "byte {at}");
    }
}

#[tokio::test]
async fn what_is_no_store_is_refused_and_never_a_panic() {
    let lab = with_events(1).await;
    assert!(matches!(doctor::check(lab.beside("nothing.db")), Err(DoctorError::NotAStore { .. })));
    let file = lab.beside("text.db");
    fs::write(&file, "text").unwrap();
    assert!(matches!(doctor::check(&file), Err(DoctorError::Unreadable { .. })));
    let bytes = fs::read(lab.store_file("notebook")).unwrap();
    for cut in [1, 99, 100, 4_096, 5_000, bytes.len() / 2] {
        fs::write(&file, &bytes[..cut]).unwrap();
        let checked = doctor::check(&file).map(|report| report.is_sound());
        assert!(!matches!(checked, Ok(true)), "{cut}");
        let _ = doctor::export(&file, Vec::new());
    }
}
