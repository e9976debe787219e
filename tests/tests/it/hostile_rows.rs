//! Hostile rows of the eventlog and of the tables, written by hand: a typed error for each, and nothing else is lost.

use std::error::Error;

use larder::{
    CommitErrorKind, EventNumber, LoadError, QueryError, QueryErrorKind, StoreError, StoreOptions, UnknownEvents,
    ValueError, prelude::*,
};
use larder_tests::{
    forge::{self, CLIENT_BITS, Forged},
    hostile::SQL,
    lab::Lab,
    vault::{Numbers, Thing, Vault, VaultEvent, numbers, thing},
};
use serde_json::{Value, value::RawValue};

mod columns;

fn kept(key: &str) -> VaultEvent {
    VaultEvent::Kept { key: key.to_owned(), text: String::new(), json: Value::Null }
}

/// A vault with one thing, closed.
async fn closed(lab: &mut Lab) {
    let store = lab.open::<Vault>().await;
    store.commit([kept("first"), numbers(1)]).unwrap();
    drop(store);
    lab.close().await;
}

/// The arguments of numbers that fit, with one replaced.
fn with(field: &str, value: &str) -> Forged {
    let fields = [
        ("id", "1"),
        ("i8", "0"),
        ("i16", "0"),
        ("i32", "0"),
        ("u8", "0"),
        ("u16", "0"),
        ("u32", "0"),
        ("f32", "0.0"),
        ("f64", "0.0"),
        ("at", "\"1970-01-01T00:00:00Z\""),
        ("uuid", "\"00000000-0000-0000-0000-000000000000\""),
        ("level", "0"),
    ];
    assert!(fields.iter().any(|(name, _)| *name == field));
    let pairs = fields.map(|(name, usual)| format!("\"{name}\":{}", if name == field { value } else { usual }));
    Forged::new("v1.NumbersKept", format!("{{{}}}", pairs.join(",")))
}

/// Numbers that no field takes, in the words of JSON.
fn numbers_out_of_range() -> Vec<Forged> {
    let list = [
        (
            "id",
            vec![
                "9223372036854775808",
                "-9223372036854775809",
                "1e18",
                "1.5",
                "1e999",
                "\"1\"",
                "null",
                "[]",
                "NaN",
                "0x1",
                "01",
                "+1",
            ],
        ),
        ("i8", vec!["128", "-129", "1e2", "1e400"]),
        ("i16", vec!["32768", "-32769"]),
        ("i32", vec!["2147483648", "-2147483649"]),
        ("u8", vec!["256", "-1", "-0.0"]),
        ("u16", vec!["65536", "-1"]),
        ("u32", vec!["4294967296", "-1", "99999999999999999999999999999999999999999999999"]),
        ("f32", vec!["1e400", "-1e400", "NaN", "Infinity", "\"NaN\""]),
        ("f64", vec!["1e400", "-1e400", "NaN", "-Infinity", "null"]),
        (
            "at",
            vec![
                "\"10000-01-01T00:00:00Z\"",
                "\"-999999-01-01T00:00:00Z\"",
                "0",
                "\"1970-01-01\"",
                "\"\"",
                "\"1970-13-01T00:00:00Z\"",
            ],
        ),
        ("uuid", vec!["\"\"", "\"0\"", "\"00000000-0000-0000-0000-00000000000g\"", "0"]),
        ("level", vec!["256", "-1", "[0]"]),
    ];
    list.into_iter().flat_map(|(field, values)| values.into_iter().map(move |value| with(field, value))).collect()
}

fn arguments_of_no_event() -> Vec<Forged> {
    let deep = |open: &str, close: &str| {
        Forged::new(
            "v1.ThingKept",
            format!(r#"{{"key":"deep","text":"","json":{}null{}}}"#, open.repeat(10_000), close.repeat(10_000)),
        )
    };
    let cut = Forged::new("v1.ThingKept", r#"{"key":"deep","text":"","json":"#.to_owned() + &"[".repeat(10_000));
    let raw = [
        "",
        " ",
        "{",
        "{}",
        "[]",
        "null",
        "\"",
        "0",
        "{\"key\":1,\"text\":\"\",\"json\":null}",
        "\u{feff}{}",
        "{}{}",
        "{\"key\":\"\\ud800\",\"text\":\"\",\"json\":0}",
    ];
    let raw = raw.into_iter().chain(SQL.iter().copied()).map(|args| Forged::new("v1.ThingKept", args));
    let twice = Forged::new("v1.ThingKept", r#"{"key":"a","key":"b","text":"","json":null}"#);
    let absent = Forged { name: "v1.ThingKept".to_owned(), args: None };
    let unwanted = Forged::new("v1.VaultEmptied", "{}");
    let all = raw.chain([deep("[", "]"), deep("{\"a\":", "}"), cut, twice, absent, unwanted]);
    all.collect()
}

#[tokio::test]
async fn arguments_that_no_event_takes_are_listed_with_their_reason_and_stay_in_the_log() {
    let forged: Vec<Forged> = [numbers_out_of_range(), arguments_of_no_event()].concat();
    let mut lab = Lab::on_disk();
    closed(&mut lab).await;
    forge::append(&lab.store_file("vault"), &forged);
    let store = lab.open::<Vault>().await;
    let report = store.migrations_report();
    assert_eq!((report.applied, report.failed, report.unknown), (2, forged.len() as u64, 0));
    let failed = store.failed_events().unwrap();
    for (failed, forged) in failed.iter().zip(&forged) {
        assert_eq!((&failed.event.name, &failed.event.args), (&forged.name, &forged.args));
        assert!(failed.event.decode::<VaultEvent>().is_err(), "{forged:?}");
        is_one_line(&failed.reason);
    }
    assert_eq!(failed.len(), forged.len());
    let mut events = store.events(EventNumber::synced(2));
    for forged in &forged {
        assert_eq!(events.next().await.unwrap().unwrap().args, forged.args);
    }
    assert_eq!(store.query(Thing::all()), Ok(vec![thing("first", "", Value::Null)]));
    assert_eq!(store.commit(kept("second")).unwrap().last(), Some(EventNumber::synced(forged.len() as u64 + 3)));
    assert!(store.verify().unwrap().is_sound());
    let file = lab.store_file("vault");
    drop(store);
    lab.close().await;
    assert!(larder::doctor::check(&file).unwrap().is_sound());
    let mut lines = Vec::new();
    assert_eq!(larder::doctor::export(&file, &mut lines).unwrap().damaged, 0);
    let lines: Vec<&str> = std::str::from_utf8(&lines).unwrap().lines().collect();
    assert_eq!(lines.len(), forged.len() + 3);
    for line in lines.iter().filter(|line| line.len() < 1_000) {
        serde_json::from_str::<&RawValue>(line).unwrap();
    }
}

#[tokio::test]
async fn an_event_that_no_column_takes_is_listed_and_undone() {
    let mut lab = Lab::on_disk();
    closed(&mut lab).await;
    forge::append(&lab.store_file("vault"), &[with("at", "\"1970-01-01T00:00:00.000000001Z\"")]);
    let store = lab.open::<Vault>().await;
    let failed = store.failed_events().unwrap();
    assert!(failed[0].reason.contains("finer than a microsecond"), "{failed:?}");
    assert_eq!((store.migrations_report().applied, failed.len()), (2, 1));
    assert_eq!(store.query(Numbers::all().count()), Ok(1));
    assert!(store.verify().unwrap().is_sound());
}

/// No client could write it as it was: the event is listed, and stays in the log.
#[tokio::test]
async fn a_number_too_large_for_an_f32_is_refused_by_everybody() {
    let mut lab = Lab::on_disk();
    closed(&mut lab).await;
    forge::append(&lab.store_file("vault"), &[with("f32", "1e39")]);
    let store = lab.open::<Vault>().await;
    assert_eq!((store.migrations_report().applied, store.migrations_report().failed), (2, 1));
    let failed = store.failed_events().unwrap();
    assert!(failed[0].reason.contains("number out of range"), "{failed:?}");
    assert!(store.verify().unwrap().is_sound());
}

/// What a person reads in a log: one line, of a length that one reads.
#[track_caller]
fn is_one_line(message: &str) {
    assert!(!message.chars().any(char::is_control) && message.len() < 3_000, "{message:?}");
}

/// Names of other stores' events, and names that no event can have.
fn strange_names() -> Vec<String> {
    let other = ["v1.NoteWritten", "v1.IssueOpened", "v2.ThingKept", "V1.THINGKEPT", "v1.ThingKept ", "v1.ThingKept\0"];
    let long = "x".repeat(100_000);
    other.into_iter().chain(SQL.iter().copied()).chain([long.as_str()]).map(str::to_owned).collect()
}

#[tokio::test]
async fn events_of_other_stores_follow_the_policy_and_keep_their_place() {
    for policy in [UnknownEvents::Warn, UnknownEvents::Ignore, UnknownEvents::Fail] {
        let fails = policy == UnknownEvents::Fail;
        let mut lab = Lab::on_disk_with(StoreOptions::new().unknown_events(policy));
        closed(&mut lab).await;
        let forged: Vec<Forged> = strange_names().iter().map(|name| Forged::new(name, "{}")).collect();
        forge::append(&lab.store_file("vault"), &forged);
        if fails {
            let error = lab.try_open::<Vault>().await.unwrap_err();
            let expected = |number| number == EventNumber::synced(3);
            assert!(matches!(&error, LoadError::UnknownEvent { number, .. } if expected(*number)), "{error}");
            continue;
        }
        let store = lab.open::<Vault>().await;
        assert_eq!(store.migrations_report().unknown, forged.len() as u64);
        let mut events = store.events(EventNumber::synced(2));
        for name in strange_names() {
            let event = events.next().await.unwrap().unwrap();
            assert_eq!((event.decode::<VaultEvent>().unwrap(), event.name), (None, name));
        }
        store.commit(kept("second")).unwrap();
        assert!(store.verify().unwrap().is_sound());
        drop(store);
        lab.close().await;
        assert_eq!(lab.open::<Vault>().await.query(Thing::all().count()), Ok(2));
    }
}

#[tokio::test]
async fn a_log_of_another_app_is_refused_in_one_line_whatever_its_events_are_called() {
    for name in strange_names() {
        let mut lab = Lab::on_disk();
        drop(lab.open::<Vault>().await);
        lab.close().await;
        forge::append(&lab.store_file("vault"), &[Forged::new(&name, "{}")]);
        let error = lab.try_open::<Vault>().await.unwrap_err();
        assert!(matches!(error, LoadError::DefinitionConflict { .. }), "{error}");
        is_one_line(&error.to_string());
        let mut lab = Lab::on_disk_with(StoreOptions::new().unknown_events(UnknownEvents::Fail));
        closed(&mut lab).await;
        forge::append(&lab.store_file("vault"), &[Forged::new(&name, "{}")]);
        is_one_line(&lab.try_open::<Vault>().await.unwrap_err().to_string());
    }
}

#[tokio::test]
async fn names_inside_a_file_are_shown_in_one_line() {
    for name in ["a\nb", "\u{1b}[31m", "", &"x".repeat(100_000)] {
        let mut lab = Lab::on_disk();
        closed(&mut lab).await;
        let sqlite = lab.sqlite("vault");
        for key in ["definition", "store_id"] {
            sqlite.execute("UPDATE larder_meta SET value = ? WHERE key = ?", [name, key]).unwrap();
        }
        sqlite.close().unwrap();
        let error = lab.try_open::<Vault>().await.unwrap_err();
        assert!(matches!(error, LoadError::WrongFile { .. }), "{error}");
        is_one_line(&error.to_string());
        let file = lab.store_file("vault");
        lab.close().await;
        if let Ok(report) = larder::doctor::check(&file) {
            report.problems.iter().for_each(|problem| is_one_line(problem));
        }
    }
}

#[tokio::test]
async fn the_last_number_there_is_ends_the_log_with_a_typed_error() {
    let last = EventNumber::MAX_GLOBAL.cast_signed() << CLIENT_BITS;
    for (place, synced, client_only) in [(last, false, true), (last + i64::from(EventNumber::MAX_CLIENT), false, false)]
    {
        let mut lab = Lab::on_disk();
        closed(&mut lab).await;
        let sqlite = lab.sqlite("vault");
        let event = Forged { name: "v1.VaultEmptied".to_owned(), args: None };
        forge::append_at(&sqlite, place, &event);
        sqlite.close().unwrap();
        let store = lab.open::<Vault>().await;
        for (event, goes) in [(kept("x"), synced), (VaultEvent::Emptied, client_only)] {
            match store.commit(event) {
                Ok(_) => assert!(goes),
                Err(error) => {
                    assert!(!goes && matches!(error.kind(), CommitErrorKind::NumbersExhausted { .. }), "{error}");
                }
            }
        }
        assert_eq!(store.query(Thing::all().count()), Ok(1));
    }
}

/// What no row of the log that larder wrote says.
const IMPOSSIBLE: &[&str] = &[
    "place = -1",
    "place = 0",
    "place = 9223372036854775807",
    "place = -9223372036854775808",
    "ordinal = -1",
    "ordinal = 9223372036854775807",
    "generation = -1",
    "generation = 4294967296",
    "generation = 9223372036854775807",
    "author = 0",
    "author = -9223372036854775808",
    "name = CAST(x'ff' AS TEXT)",
    "args = CAST(x'c328' AS TEXT)",
    "args = CAST(x'eda080' AS TEXT)",
    "name = 'a' || char(0) || 'b'",
    "id = x''",
    "id = zeroblob(17)",
    "id = zeroblob(16)",
    "checksum = x''",
    "checksum = zeroblob(1000000)",
    "name = x'00'",
    "name = 1",
    "name = 1.5",
    "args = 1",
    "args = x'7b7d'",
    "args = 1e999",
    "ordinal = 'x'",
    "ordinal = 2.5",
    "ordinal = x'02'",
    "generation = 'x'",
    "author = 'x'",
    "author = 1.5",
    "id = 'x'",
    "id = 1",
    "checksum = 'xxxxxxxxxxxxxxxx'",
    "checksum = 1",
    "checksum = 9e999",
];

#[tokio::test]
async fn a_row_of_the_log_that_cannot_be_one_is_damage() {
    let last = "WHERE place = (SELECT max(place) FROM larder_events)";
    let not_strict = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name LIKE 'larder_%'; \
                      PRAGMA writable_schema = RESET;";
    for change in IMPOSSIBLE {
        let mut lab = Lab::on_disk();
        closed(&mut lab).await;
        let sqlite = lab.sqlite("vault");
        sqlite.execute_batch(not_strict).unwrap();
        sqlite.close().unwrap();
        let sqlite = lab.sqlite("vault");
        sqlite.execute_batch(&format!("UPDATE larder_events SET {change} {last}")).unwrap();
        sqlite.close().unwrap();
        match lab.try_open::<Vault>().await {
            Err(LoadError::Corrupt { .. }) => {}
            // A place before the others' is not that of the last row; the first read of the log finds it.
            Ok(store) => {
                let mut events = store.events(EventNumber::ZERO);
                let error = loop {
                    match events.next().await.expect("the damage is found before the log ends") {
                        Ok(_) => {}
                        Err(error) => break error,
                    }
                };
                assert!(matches!(error, StoreError::Stopped { .. }), "{change}: {error}");
            }
            Err(other) => panic!("{change}: {other}"),
        }
        let file = lab.store_file("vault");
        lab.close().await;
        assert!(!larder::doctor::check(&file).unwrap().is_sound(), "{change}");
        let report = larder::doctor::export(&file, &mut Vec::new()).unwrap();
        assert!(report.events >= 1 && report.damaged <= 2, "{change}: {report:?}");
    }
}
