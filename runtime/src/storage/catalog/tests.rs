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
    assert_eq!(claim("wss://a", "workspace", "ws:2"), Ok(Err("workspace (store ws:1)".into())));
    assert_eq!(claim("wss://b", "issue", "ws:1"), Ok(Ok(())));
}
