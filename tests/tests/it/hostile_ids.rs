//! Hostile store ids and definition names: refused with a typed error, or inside the data dir under a name of their own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use larder::{StoreIdError, prelude::*};
use larder_tests::{
    hostile,
    lab::Lab,
    notebook::{Note, Notebook, NotebookSchema, note, written},
};
use proptest::{collection::vec, prelude::*};

#[derive(StoreKey, Clone, Debug, PartialEq)]
#[store_key("k:{first}:and:{second}")]
struct Pair {
    first: String,
    second: String,
}

#[derive(StoreKey, Clone, Debug, PartialEq)]
#[store_key("{only}")]
struct Alone {
    only: String,
}

/// What DESIGN says of an id, in other words than the code's.
fn is_an_id(text: &str) -> bool {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:~-";
    let known = text.chars().all(|found| alphabet.contains(found));
    known && (1..=120).contains(&text.len()) && !"._:~-".contains(&text[..1]) && !text.contains("..")
}

/// An error that a person reads in a log: short, and in one line.
#[track_caller]
fn refused(error: &StoreIdError) {
    let message = error.to_string();
    let unseen = |found: char| found.is_control() || matches!(found, '\u{2028}' | '\u{2029}' | '\u{202e}' | '\u{feff}');
    assert!(message.len() < 3_000 && !message.contains(unseen), "{message:?}");
}

#[test]
fn a_hostile_text_is_an_id_only_if_it_is_one() {
    for text in hostile::store_ids() {
        match text.parse::<StoreId>() {
            Ok(id) => assert!(is_an_id(&text) && id.as_str() == text, "{text:?}"),
            Err(error) => {
                assert!(!is_an_id(&text), "{text:?}: {error}");
                refused(&error);
            }
        }
    }
}

/// Every way to make an id of hostile texts: the id, and of what.
fn ids() -> Vec<(StoreId, Vec<String>)> {
    let mut ids: Vec<(StoreId, Vec<String>)> = Vec::new();
    let mut keep = |id: Result<StoreId, StoreIdError>, parts: &[&str]| match id {
        Ok(id) => ids.push((id, parts.iter().map(|part| (*part).to_owned()).collect())),
        Err(error) => refused(&error),
    };
    for text in &hostile::store_ids() {
        let text = text.as_str();
        for parts in [vec![text], vec!["x", text], vec!["x", text, "y"], vec![text, text], vec!["x", "y", text]] {
            keep(StoreId::from_parts(&parts), &parts);
        }
        let alone = Alone { only: text.to_owned() };
        keep(alone.store_id(), &[text]);
        for (first, second) in [(text, "y"), ("x", text), (text, text)] {
            let pair = Pair { first: first.to_owned(), second: second.to_owned() };
            keep(pair.store_id(), &["k", first, "and", second]);
            if let Ok(id) = pair.store_id() {
                assert_eq!(Pair::from_store_id(&id), Ok(pair));
            }
        }
        if let Ok(id) = alone.store_id() {
            assert_eq!(Alone::from_store_id(&id), Ok(alone));
        }
    }
    ids
}

#[test]
fn hostile_parts_and_keys_make_an_id_of_their_own() {
    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (id, parts) in ids() {
        assert!(is_an_id(id.as_str()), "{id}");
        let owner = owners.entry(id.as_str().to_owned()).or_insert_with(|| parts.clone());
        assert_eq!(*owner, parts, "two keys make {id}");
    }
    assert!(owners.len() > hostile::STORE_IDS, "only {} of them are ids", owners.len());
}

/// All files below a folder; a symlink or a name that leads out of it fails the test.
fn files(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            assert!(path.canonicalize().unwrap().starts_with(root.canonicalize().unwrap()), "{}", path.display());
            if kind.is_dir() {
                folders.push(path);
            } else {
                assert!(kind.is_file(), "{}", path.display());
                found.push(path);
            }
        }
    }
    found
}

/// A name that Windows, macOS and Linux all take, and all take for itself.
#[track_caller]
fn is_a_safe_name(name: &str) {
    let stem = name.split('.').next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    let numbered = |device: &str| stem.strip_prefix(device).is_some_and(|rest| rest.len() == 1);
    let device = ["con", "prn", "aux", "nul"].contains(&stem) || numbered("com") || numbered("lpt");
    assert!(name.bytes().all(plain) && name.len() <= 100 && !device && !name.ends_with('.'), "{name:?}");
}

#[tokio::test]
async fn every_id_has_one_file_of_its_own_inside_the_data_dir() {
    let mut lab = Lab::on_memory_disk();
    let plain = hostile::store_ids().into_iter().filter_map(|text| text.parse().ok());
    let escaped = hostile::store_ids().into_iter().filter_map(|text| StoreId::from_parts(["x", &text]).ok());
    let all: BTreeSet<StoreId> = plain.chain(escaped).collect();
    assert!(all.len() > hostile::STORE_IDS, "only {} ids", all.len());
    for (number, id) in (1..).zip(&all) {
        let store = lab.registry().get::<Notebook>(id).await.unwrap();
        store.commit(written(number)).unwrap();
        drop(store);
        lab.registry().evict::<Notebook>(id).await.unwrap();
    }
    let stored = lab.registry().stored::<Notebook>().await.unwrap();
    assert!(stored.iter().map(|stored| &stored.id).eq(all.iter()), "the catalog lists other ids");
    for stored in &stored {
        is_a_safe_name(&stored.file.file_name().unwrap().to_string_lossy());
    }
    let names: BTreeSet<String> =
        stored.iter().map(|stored| stored.file.file_name().unwrap().to_string_lossy().to_lowercase()).collect();
    assert_eq!(names.len(), all.len(), "two ids have a file that some file systems take for one");
    lab.close().await;
    let databases = files(&lab.data_dir().join("stores"));
    let databases: BTreeSet<_> =
        databases.iter().filter(|path| path.extension().is_some_and(|end| end == "db")).collect();
    assert!(databases.into_iter().eq(stored.iter().map(|stored| &stored.file).collect::<BTreeSet<_>>()));
    assert_eq!(fs::read_dir(lab.beside("")).unwrap().count(), 1, "something lies beside the data dir");
    for (number, id) in (1..).zip(&all).step_by(7) {
        assert_eq!(
            lab.registry().get::<Notebook>(id).await.unwrap().query(Note::all()),
            Ok(vec![note(number)]),
            "{id}"
        );
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(hostile::store_ids()),
        vec(proptest::sample::select(vec!["a", "A", ":", "~", ".", "-", "_", "~3A", "\u{e9}", "/", "\0"]), 1..6)
            .prop_map(|pieces| pieces.concat()),
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn different_keys_never_make_the_same_id(one in (text(), text()), other in (text(), text())) {
        let pair = |(first, second): &(String, String)| Pair { first: first.clone(), second: second.clone() }.store_id();
        if let (Ok(left), Ok(right)) = (pair(&one), pair(&other)) {
            prop_assert_eq!(one == other, left == right, "{:?} {:?}", left, right);
        }
    }
}

/// Definitions whose names some file system, or SQL, takes for something else.
mod named {
    use super::NotebookSchema;
    use larder::prelude::*;

    macro_rules! definitions {
        ($($ident:ident: $name:literal),* $(,)?) => {$(
            larder::define_store! {
                pub(super) $ident { name: $name, schema: NotebookSchema, adapter: SqliteAdapter::persisted() }
            }
        )*};
    }

    definitions!(
        Lower: "book", Upper: "BOOK", Mixed: "Book", Escaped: "book:a~2Fb", Dotted: "a.b.db", Device: "con", Port: "com1",
        Hashed: "book-0123456789abcdef", Catalog: "catalog.db", Stores: "stores", Table: "larder_events",
        Long: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
        Longer: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac",
    );
}

#[tokio::test]
async fn every_definition_has_a_folder_of_its_own() {
    let mut lab = Lab::on_disk();
    macro_rules! each {
        ($($definition:ident),*) => {{
            let mut number = 0;
            $(
                number += 1;
                let store = lab.registry().get::<named::$definition>("x:1").await.unwrap();
                store.commit(written(number)).unwrap();
                drop(store);
            )*
            lab.close().await;
            number = 0;
            $(
                number += 1;
                let store = lab.registry().get::<named::$definition>("x:1").await.unwrap();
                assert_eq!(store.query(Note::all()), Ok(vec![note(number)]), stringify!($definition));
                assert_eq!(lab.registry().stored::<named::$definition>().await.unwrap().len(), 1);
                drop(store);
            )*
            lab.close().await;
            number
        }};
    }
    let definitions =
        each!(Lower, Upper, Mixed, Escaped, Dotted, Device, Port, Hashed, Catalog, Stores, Table, Long, Longer);
    let folders = fs::read_dir(lab.data_dir().join("stores")).unwrap().map(|entry| entry.unwrap().file_name());
    let folders: BTreeSet<String> = folders.map(|name| name.to_string_lossy().to_lowercase()).collect();
    assert_eq!(i64::try_from(folders.len()), Ok(definitions), "{folders:?}");
    folders.iter().for_each(|name| is_a_safe_name(name));
    drop(lab.registry().clone().shutdown(Duration::ZERO).await);
}
