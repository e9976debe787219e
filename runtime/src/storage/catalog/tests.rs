//! The catalog by itself; how the registry uses it is tested through the registry.

use super::*;

fn id(text: &str) -> StoreId {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn catalog() -> Catalog {
    Catalog::in_memory().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_store_is_entered_once_and_keeps_its_unsent_events() {
    let catalog = catalog();
    let add = || catalog.add("issue", &id("issue:1"), Durability::Process);
    assert!(add().is_ok());
    assert!(catalog.set_unsent("issue", &id("issue:1"), Some(3)).is_ok());
    assert!(add().is_ok());
    let unsent = catalog.get("issue", &id("issue:1")).map(|found| found.and_then(|entry| entry.unsent));
    assert_eq!(unsent, Ok(Some(3)));
    assert_eq!(catalog.unsent("issue", "wss://one").map(|found| found.len()), Ok(1));
    assert_eq!(catalog.stored("workspace").map(|found| found.len()), Ok(0));
    assert!(catalog.remove("issue", &id("issue:1")).is_ok());
    assert_eq!(catalog.stored("issue"), Ok(vec![]));
}

#[test]
fn a_sync_id_belongs_to_one_store_per_backend() {
    let catalog = catalog();
    let claim = |backend: &str, definition: &str, store: &str| catalog.claim(backend, "w1", definition, &id(store));
    assert_eq!(claim("wss://a", "workspace", "ws:1"), Ok(Ok(())));
    assert_eq!(claim("wss://a", "workspace", "ws:1"), Ok(Ok(())));
    assert_eq!(claim("wss://a", "issue", "ws:1"), Ok(Err("workspace".into())));
    assert_eq!(claim("wss://a", "workspace", "ws:2"), Ok(Err("workspace/ws:1".into())));
    assert_eq!(claim("wss://b", "issue", "ws:1"), Ok(Ok(())));
}

#[test]
fn the_last_backend_and_sync_id_are_whose_the_unsent_events_are() {
    let catalog = catalog();
    let unsent = |backend: &str| {
        let found = catalog.unsent("note", backend).unwrap_or_else(|error| panic!("{error}"));
        found.into_iter().map(|found| (found.id.to_string(), found.sync_id)).collect::<Vec<_>>()
    };
    for store in ["n:1", "n:2"] {
        assert!(catalog.add("note", &id(store), Durability::Process).is_ok());
        assert!(catalog.set_unsent("note", &id(store), None).is_ok());
    }
    assert!(catalog.add_found("note", &id("n:3"), true).is_ok());
    for wire in [("wss://a", "n:1"), ("wss://b", "n:1"), ("wss://b", "n_1")] {
        assert!(catalog.opened("note", &id("n:1"), Some(wire), Durability::Process).is_ok());
    }
    // Opened without the backend that they had: one that is known, and one that is not.
    assert!(catalog.add("note", &id("n:4"), Durability::Process).is_ok());
    for store in ["n:1", "n:4"] {
        assert!(catalog.set_unsent("note", &id(store), Some(0)).is_ok());
        assert!(catalog.opened("note", &id(store), None, Durability::Process).is_ok());
    }
    let of_none = [("n:2".to_owned(), None)];
    assert_eq!(unsent("wss://a"), of_none);
    assert_eq!(unsent(""), of_none);
    let [other] = of_none;
    assert_eq!(unsent("wss://b"), [("n:1".to_owned(), Some("n_1".to_owned())), other]);
    let had_backend = |store: &str| catalog.get("note", &id(store)).map(|entry| entry.map(|entry| entry.had_backend));
    assert_eq!(
        [had_backend("n:1"), had_backend("n:2"), had_backend("n:3"), had_backend("n:4")],
        [true, false, true, true].map(|had| Ok(Some(had)))
    );
}

/// With `Durability::Power` a commit is there after a loss of power, and so must be that it may be unsent.
#[test]
fn the_catalog_of_a_durable_store_knows_after_power_loss_that_events_may_be_unsent() {
    let catalog = catalog();
    let notes = "CREATE TEMP TABLE seen (level); \
                 CREATE TEMP TRIGGER of_new AFTER INSERT ON stores BEGIN INSERT INTO seen SELECT synchronous FROM pragma_synchronous; END; \
                 CREATE TEMP TRIGGER of_known AFTER UPDATE ON stores BEGIN INSERT INTO seen SELECT synchronous FROM pragma_synchronous; END;";
    assert_eq!(catalog.with(|connection| connection.batch(notes)), Ok(()));
    let level =
        || catalog.with(|connection| connection.integer("SELECT level FROM seen ORDER BY rowid DESC LIMIT 1", &[]));
    for (store, durability, expected) in
        [("n:1", Durability::Power, 2), ("n:2", Durability::Process, 1), ("n:3", Durability::Power, 2)]
    {
        let store = id(store);
        assert!(catalog.add("note", &store, durability).is_ok());
        assert_eq!(level(), Ok(Some(expected)), "an entry under {durability:?}");
        assert!(catalog.set_unsent("note", &store, Some(0)).is_ok());
        assert!(catalog.opened("note", &store, Some(("wss://a", "n")), durability).is_ok());
        assert_eq!(level(), Ok(Some(expected)), "an opening under {durability:?}");
    }
}

#[test]
fn a_rebuild_that_was_interrupted_is_done_again() {
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let layout = Layout::open(&dir.path().join("data")).unwrap_or_else(|error| panic!("{error:?}"));
    assert!(layout.make_definition_folder("note").is_ok());
    for store in ["n:1", "n:2"] {
        let file = Place::File(layout.store("note", &id(store)));
        let made = open(&file).and_then(|mut connection| {
            connection.batch(&format!(
                "CREATE TABLE larder_meta (key TEXT, value ANY); \
                 INSERT INTO larder_meta VALUES ('definition', 'note'), ('store_id', '{store}')"
            ))?;
            connection.close()
        });
        assert_eq!(made, Ok(()));
    }
    // Made, and ended before a store was entered; then after the first.
    drop(
        Catalog::open_file(&layout.catalog()).map(|(catalog, is_whole)| assert!(!is_whole && catalog.take().is_some())),
    );
    let half = Catalog::open_file(&layout.catalog()).map(|(catalog, _)| catalog.add_found("note", &id("n:1"), false));
    assert_eq!(half, Ok(Ok(())));
    let stored = || Catalog::open(&layout).map(|catalog| catalog.stored("note").map(|found| found.len()));
    assert!(matches!(stored(), Ok(Ok(2))));
    assert!(matches!(Catalog::open_file(&layout.catalog()), Ok((_, true))));
}
