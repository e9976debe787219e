//! SQL in every string that reaches a table: it is text, and nothing else.

use larder::{CommitErrorKind, EventNumber, Predicate, QueryErrorKind, StoreOptions, prelude::*};
use larder_tests::{
    hostile::SQL,
    lab::Lab,
    vault::{Named, Thing, Vault, VaultEvent, thing},
};
use serde_json::{Value, json};

/// Every hostile text as name, text and JSON of a thing; the names differ.
fn things() -> Vec<Thing> {
    let thing = |(at, text): (usize, &&str)| thing(&format!("{at} {text}"), text, json!({ *text: [text] }));
    SQL.iter().enumerate().map(thing).collect()
}

fn kept(thing: &Thing) -> VaultEvent {
    VaultEvent::Kept { key: thing.key.clone(), text: thing.text.clone(), json: thing.json.0.clone() }
}

async fn filled(lab: &mut Lab) -> StoreHandle<Vault> {
    let store = lab.open::<Vault>().await;
    store.commit(things().iter().map(kept).collect::<Vec<_>>()).unwrap();
    store
}

#[tokio::test]
async fn a_text_is_stored_found_changed_and_deleted_as_it_is() {
    for mut lab in Lab::both() {
        let store = filled(&mut lab).await;
        for thing in things() {
            let by_text = store.query(Thing::filter(Thing::TEXT.eq(&thing.text).and(Thing::KEY.eq(&thing.key))));
            assert_eq!(by_text, Ok(vec![thing.clone()]));
            assert_eq!(store.query(Thing::by_key(&thing.key)), Ok(Some(thing.clone())));
            assert_eq!(store.query(Thing::filter(Thing::KEY.in_([&thing.key]))), Ok(vec![thing.clone()]));
            assert_eq!(store.query(Thing::filter(Thing::JSON.eq(&thing.json))), Ok(vec![thing.clone()]));
            assert_eq!(store.query(Thing::filter(Thing::BYTES.eq(&thing.bytes))), Ok(vec![thing.clone()]));
            assert_eq!(store.query(Thing::filter(Thing::TEXT.ne(&thing.text)).count()), Ok(SQL.len() as u64 - 1));
            assert_eq!(store.query(Vault::with_text(&thing.text)), Ok(vec![Named { key: thing.key.clone() }]));
            let (unchanged, key, text) = (thing.clone(), thing.key.clone(), thing.text.clone());
            store.commit(VaultEvent::Noted { key: key.clone(), note: text.clone() }).unwrap();
            store.commit(VaultEvent::Renamed { key: key.clone(), to: format!("{text}{text}") }).unwrap();
            let changed = Thing { text: format!("{text}{text}"), note: Some(text), ..thing };
            assert_eq!(store.query(Thing::by_key(&key).one()), Ok(changed.clone()));
            assert_eq!(store.query(Thing::filter(Thing::NOTE.eq(&changed.note))), Ok(vec![changed]));
            store.commit(VaultEvent::ThrownAway(key)).unwrap();
            assert_eq!(store.query(Thing::all().count()), Ok(SQL.len() as u64 - 1));
            store.commit(kept(&unchanged)).unwrap();
        }
        assert!(store.verify().unwrap().is_sound());
        assert_eq!(store.query(Thing::all()), Ok(by_key()));
    }
}

/// As the store lists them.
fn by_key() -> Vec<Thing> {
    let mut things = things();
    things.sort_by(|one, other| one.key.cmp(&other.key));
    things
}

/// What SQLite says of `LIKE`, without larder.
fn like(text: &str, pattern: &str) -> bool {
    let sqlite = rusqlite::Connection::open_in_memory().unwrap();
    sqlite.query_row("SELECT ? LIKE ?", [text, pattern], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_pattern_is_a_pattern_and_an_order_is_an_order() {
    for mut lab in Lab::both() {
        let store = filled(&mut lab).await;
        let keys = |things: Vec<Thing>| things.into_iter().map(|thing| thing.key).collect::<Vec<_>>();
        let mut by_text = things();
        by_text.sort_by(|one, other| (&one.text, &one.key).cmp(&(&other.text, &other.key)));
        assert_eq!(store.query(Thing::all().order_by(Thing::TEXT.asc())).map(keys), Ok(keys(by_text.clone())));
        for pattern in SQL {
            let mut expected = keys(by_text.iter().filter(|thing| like(&thing.text, pattern)).cloned().collect());
            let found = store.query(Thing::filter(Thing::TEXT.like(*pattern)).order_by(Thing::TEXT.asc())).map(keys);
            assert_eq!(found, Ok(expected.clone()), "{pattern:?}");
            expected.sort();
            let found = store.query(Vault::like((*pattern).to_owned())).map(|rows| rows.into_iter().map(|row| row.key));
            assert_eq!(found.map(Iterator::collect), Ok(expected), "{pattern:?}");
            let after: Vec<_> = by_text.iter().filter(|thing| thing.text.as_str() > *pattern).cloned().collect();
            let found = store.query(Thing::filter(Thing::TEXT.gt(*pattern)).order_by(Thing::TEXT.asc())).map(keys);
            assert_eq!(found, Ok(keys(after)), "{pattern:?}");
        }
    }
}

/// Long lists are written into the statement: there, quotes count.
#[tokio::test]
async fn a_list_too_long_for_parameters_holds_texts_too() {
    for mut lab in Lab::both() {
        let store = filled(&mut lab).await;
        let filler = (0..2_000).map(|number| format!("'filler {number}\0"));
        for kept_out in [0, 3, SQL.len() - 1] {
            let listed = SQL.iter().enumerate().filter(|(at, _)| *at != kept_out).map(|(_, text)| (*text).to_owned());
            let values: Vec<String> = listed.chain(filler.clone()).collect();
            let inside = store.query(Thing::filter(Thing::TEXT.in_(&values))).unwrap();
            assert_eq!(inside.len(), SQL.len() - 1);
            let outside = store.query(Thing::filter(!Thing::TEXT.in_(&values))).unwrap();
            assert_eq!(outside, [things()[kept_out].clone()]);
            let bytes: Vec<Vec<u8>> = values.iter().map(|text| text.as_bytes().to_vec()).collect();
            assert_eq!(store.query(Thing::filter(Thing::BYTES.in_(&bytes)).count()), Ok(SQL.len() as u64 - 1));
        }
    }
}

/// Beyond 30,000 parameters, single values are written into the statement, too.
#[tokio::test]
async fn a_condition_too_long_for_parameters_holds_texts_too() {
    for mut lab in Lab::both() {
        let store = filled(&mut lab).await;
        let filler = (0..30_000).map(|number| format!("'filler {number}"));
        let none = filler.map(|text| Thing::TEXT.eq(text)).reduce(Predicate::or).unwrap();
        let some = SQL[1..].iter().map(|text| Thing::TEXT.eq(*text)).fold(none, Predicate::or);
        assert_eq!(store.query(Thing::filter(some).count()), Ok(SQL.len() as u64 - 1));
    }
}

#[tokio::test]
async fn what_was_stored_reads_back_after_a_rebuild_and_a_backup() {
    let mut lab = Lab::on_disk();
    let store = filled(&mut lab).await;
    store.commit([VaultEvent::Quoted, VaultEvent::Emptied]).unwrap();
    let names = [
        "x?mode=memory",
        "file:x",
        "a'b",
        "a\"b",
        "%00",
        "a%2fb.db",
        "a b",
        "a\nb",
        ":memory:",
        "caf\u{e9}",
        "#x",
        "-x",
    ];
    for name in names {
        let path = lab.beside(name);
        store.backup(&path).unwrap();
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let copy = rusqlite::Connection::open_with_flags(&path, flags).unwrap();
        let count = copy.query_row("SELECT count(*) FROM things", [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count, i64::try_from(SQL.len()).unwrap(), "{name:?}");
        let error = store.backup(&path).unwrap_err().to_string();
        assert!(error.contains("exists already"), "{name:?}: {error}");
    }
    for nowhere in ["a\0b", "no/such/folder/x", ""] {
        assert!(store.backup(lab.beside(nowhere)).is_err(), "{nowhere:?}");
    }
    let beside = std::fs::read_dir(lab.beside("")).unwrap().map(|entry| entry.unwrap().file_name());
    let own =
        beside.filter(|name| !name.to_string_lossy().ends_with("-wal") && !name.to_string_lossy().ends_with("-shm"));
    assert_eq!(own.count(), names.len() + 1, "something else than the backups and the data dir");
    drop(store);
    lab.close().await;
    let sqlite = lab.sqlite("vault");
    larder_tests::forge::forget_tables(&sqlite);
    sqlite.close().unwrap();
    let store = lab.open::<Vault>().await;
    assert!(store.migrations_report().rebuilt());
    assert_eq!(store.failed_events().unwrap(), []);
    assert_eq!(store.query(Thing::all()), Ok(by_key()));
    let mut events = store.events(EventNumber::ZERO);
    for thing in things() {
        assert_eq!(events.next().await.unwrap().unwrap().decode().unwrap(), Some(kept(&thing)));
    }
    assert_eq!(events.next().await.unwrap().unwrap().name, "v1.')/**/;DROP/**/TABLE/**/larder_events;--");
}

#[tokio::test]
async fn a_data_dir_is_a_path_whatever_it_is_called() {
    let outside = tempfile::tempdir().unwrap();
    for name in ["file:x?mode=memory", "a'b\"c", "%2e%2e", "?x#y", "a b ", "\u{e9}\u{202e}", ":memory:", "a\nb"] {
        let dir = outside.path().join(name);
        let registry = StoreRegistry::builder().data_dir(&dir).build().unwrap();
        let store = registry.get::<Vault>("x").await.unwrap();
        store.commit(kept(&things()[1])).unwrap();
        drop(store);
        registry.shutdown(std::time::Duration::from_secs(30)).await;
        let registry = StoreRegistry::builder().data_dir(&dir).build().unwrap();
        assert_eq!(
            registry.get::<Vault>("x").await.unwrap().query(Thing::all()),
            Ok(vec![things()[1].clone()]),
            "{name:?}"
        );
        registry.shutdown(std::time::Duration::from_secs(30)).await;
        assert!(dir.join("catalog.db").is_file() && dir.join("stores/vault").is_dir(), "{name:?}");
    }
    assert!(StoreRegistry::builder().data_dir(outside.path().join("a\0b")).build().is_err());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 8);
}

#[tokio::test]
async fn an_event_over_the_limit_is_refused_and_comes_back() {
    let empty = r#"{"key":"","text":"","json":null}"#.len();
    let of_size =
        |bytes: usize| VaultEvent::Kept { key: String::new(), text: "x".repeat(bytes - empty), json: Value::Null };
    for mut lab in Lab::both() {
        let store = lab.open::<Vault>().await;
        store.commit(of_size(256 * 1024)).unwrap();
        for bytes in [256 * 1024 + 1, 8 << 20] {
            let error = store.commit([of_size(100), of_size(bytes)]).unwrap_err();
            let CommitErrorKind::EventTooLarge { bytes: found, limit: 262_144, event: "v1.ThingKept", .. } =
                error.kind()
            else {
                panic!("{error}");
            };
            assert_eq!(*found, bytes);
            assert_eq!(error.into_events(), [of_size(100), of_size(bytes)]);
        }
        // A text of quotes is twice as long as JSON.
        let quotes = VaultEvent::ThrownAway("\"".repeat(131_072));
        assert!(matches!(
            store.commit(quotes).unwrap_err().kind(),
            CommitErrorKind::EventTooLarge { bytes: 262_146, .. }
        ));
        assert_eq!(store.head(), EventNumber::synced(1));
        assert_eq!(store.query(Thing::all()).unwrap()[0].text.len(), 256 * 1024 - empty);
    }
    let mut lab = Lab::on_disk_with(StoreOptions::new().max_event_bytes(usize::MAX).max_commit_events(usize::MAX));
    let store = lab.open::<Vault>().await;
    store.commit(of_size(8 << 20)).unwrap();
    store.commit(vec![VaultEvent::Quoted; 5_000]).unwrap();
    assert_eq!((store.head(), store.verify().unwrap().is_sound()), (EventNumber::synced(5_001), true));
}

/// `depth` arrays inside each other.
fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
}

#[tokio::test]
async fn json_ten_thousand_levels_deep_is_refused_and_nothing_changes() {
    let kept = |json| VaultEvent::Kept { key: "deep".to_owned(), text: String::new(), json };
    for mut lab in Lab::both() {
        let store = lab.open::<Vault>().await;
        store.commit(kept(nested(63))).unwrap();
        for depth in [64, 127, 128, 129, 10_000] {
            let error = store.commit([kept(Value::Null), kept(nested(depth))]).unwrap_err();
            assert!(matches!(error.kind(), CommitErrorKind::Encode { event: "v1.ThingKept", .. }), "{error}");
            assert_eq!(error.events().len(), 2);
        }
        assert_eq!(store.head(), EventNumber::synced(1));
        assert_eq!(store.query(Thing::by_key("deep").one()).unwrap().json, Json(nested(63)));
        let error = store.query(Thing::filter(Thing::JSON.eq(Json(nested(10_000))))).unwrap_err();
        assert!(matches!(error.kind(), QueryErrorKind::Value(_)), "{error}");
    }
}
