//! Opening only what is there, and listing what is there by its typed ids.

use std::fs;

use larder::{DeleteError, Get, StoreIdError, StoredStore, prelude::*};

use super::support::*;

#[derive(StoreKey, Clone, Debug, PartialEq)]
#[store_key("note:{number}")]
struct NoteId {
    number: u32,
}

larder::define_store! {
    /// The same stores as those of `NoteStore`, with typed ids.
    KeyedStore { name: "note", id: NoteId, schema: NoteSchema, adapter: SqliteAdapter::persisted() }
}

fn near(error: LoadError) -> Vec<String> {
    match error {
        LoadError::NotFound { store, near } => {
            assert_eq!(store.definition(), "note");
            near.iter().map(ToString::to_string).collect()
        }
        error => panic!("not as expected: {error}"),
    }
}

#[tokio::test]
async fn existing_opens_what_is_there_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    let asked = || registry.get::<NoteStore>("note:12").existing();
    assert!(near(asked().await.unwrap_err()).is_empty());
    assert!(registry.stored::<NoteStore>().await.unwrap().is_empty());
    assert!(!dir.path().join("stores/note").exists(), "not even a folder is made");
    assert!(!registry.exists::<NoteStore>("note:12").await.unwrap());

    for id in ["note:1", "note:13", "note:12345", "other"] {
        drop(registry.get::<NoteStore>(id).await.unwrap());
    }
    let error = asked().await.unwrap_err();
    assert!(error.to_string().contains("ask for `note:1` or `note:13`, or"), "{error}");
    assert_eq!(near(error), ["note:1", "note:13"]);
    assert!(matches!(registry.preload::<NoteStore>("note:12").existing().await, Err(LoadError::NotFound { .. })));
    assert_eq!(registry.stored::<NoteStore>().await.unwrap().len(), 4);

    drop(registry.get::<NoteStore>("note:12").await.unwrap());
    assert!(asked().await.is_ok() && registry.exists::<NoteStore>("note:12").await.unwrap());
    registry.evict::<NoteStore>("note:12").await.unwrap();
    assert!(registry.exists::<NoteStore>("note:12").await.unwrap() && !registry.has::<NoteStore>("note:12"));
    assert!(asked().await.is_ok());
    assert!(matches!(registry.exists::<NoteStore>("../x").await, Err(LoadError::Id { .. })));
    assert!(matches!(registry.get_singleton::<AppStore>().existing().await, Err(LoadError::NotFound { .. })));
}

larder::define_store! {
    /// Notes that are in memory, also where others are on disk.
    MemoryStore { name: "memory", schema: NoteSchema, adapter: SqliteAdapter::in_memory() }
}

#[tokio::test]
async fn in_memory_a_store_that_is_loaded_can_be_deleted() {
    let dir = tempfile::tempdir().unwrap();
    for bench in [Bench::with(|builder| builder.in_memory()), Bench::with(|builder| builder.data_dir(dir.path()))] {
        assert!(!bench.delete::<MemoryStore>("n").await.unwrap());
        let handle = bench.get::<MemoryStore>("n").await.unwrap();
        handle.commit(written(1)).unwrap();
        assert!(matches!(bench.delete::<MemoryStore>("n").await, Err(DeleteError::Observed { .. })));
        drop(handle);
        assert!(bench.exists::<MemoryStore>("n").await.unwrap());
        assert!(bench.delete::<MemoryStore>("n").await.unwrap());
        assert_eq!(bench.log().take().last().map(String::as_str), Some("deleted memory/n"));
        assert!(!bench.exists::<MemoryStore>("n").await.unwrap());
        assert!(!bench.delete::<MemoryStore>("n").await.unwrap());
        assert!(bench.get::<MemoryStore>("n").await.unwrap().query(Note::all()).unwrap().is_empty());
    }
}

#[tokio::test]
async fn in_memory_a_store_exists_while_it_is_loaded() {
    let bench = Bench::with(|builder| builder.in_memory());
    assert!(matches!(bench.get::<NoteStore>("n").existing().await, Err(LoadError::NotFound { .. })));
    let loaded = bench.get::<NoteStore>("n").await.unwrap();
    assert!(bench.get::<NoteStore>("n").existing().await.is_ok() && bench.exists::<NoteStore>("n").await.unwrap());
    drop(loaded);
    bench.evict::<NoteStore>("n").await.unwrap();
    assert!(!bench.exists::<NoteStore>("n").await.unwrap());
    assert!(matches!(bench.get::<NoteStore>("n").existing().await, Err(LoadError::NotFound { .. })));
}

#[tokio::test]
async fn a_get_that_joins_the_load_of_an_existing_one_makes_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    let existing = || registry.get::<NoteStore>("n").existing();
    let (first, made, second) = tokio::join!(existing(), registry.get::<NoteStore>("n"), existing());
    assert!(matches!(first, Err(LoadError::NotFound { .. })), "{first:?}");
    made.unwrap().commit(written(1)).unwrap();
    assert!(matches!(second, Err(LoadError::NotFound { .. })), "{second:?}");
    // The other way round the load makes the store for both.
    let (made, existing) = tokio::join!(registry.get::<NoteStore>("m"), registry.get::<NoteStore>("m").existing());
    assert!(made.is_ok() && existing.is_ok());
}

#[tokio::test]
async fn a_store_that_is_being_deleted_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    drop(registry.get::<NoteStore>("n").await.unwrap());
    registry.evict::<NoteStore>("n").await.unwrap();
    let (deleted, asked): (Result<bool, DeleteError>, _) =
        tokio::join!(registry.delete::<NoteStore>("n"), registry.get::<NoteStore>("n").existing());
    assert!(matches!((deleted, asked), (Ok(true), Err(LoadError::NotFound { .. }))));
    assert!(registry.stored::<NoteStore>().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_store_whose_file_was_lost_is_damaged_and_one_that_was_never_finished_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    drop(registry.get::<NoteStore>("n").await.unwrap());
    registry.evict::<NoteStore>("n").await.unwrap();
    let file = registry.stored::<NoteStore>().await.unwrap().remove(0).file;
    fs::remove_file(&file).unwrap();
    assert!(matches!(registry.get::<NoteStore>("n").existing().await, Err(LoadError::Corrupt { .. })));
    let lock = file.with_file_name(format!("{}.lock", file.file_name().unwrap().to_str().unwrap()));
    fs::remove_file(lock).unwrap();
    fs::write(&file, "").unwrap();
    assert!(matches!(registry.get::<NoteStore>("n").existing().await, Err(LoadError::NotFound { .. })));
    assert_eq!(fs::metadata(&file).unwrap().len(), 0, "it is left as it was");
    assert!(registry.get::<NoteStore>("n").await.is_ok());
}

#[tokio::test]
async fn stores_are_listed_by_their_typed_ids_and_an_id_that_does_not_fit_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let first = registry(dir.path());
    for id in ["note:7", "note:007", "note:1", "todo"] {
        drop(first.get::<NoteStore>(id).await.unwrap());
    }
    drop(first.get_singleton::<AppStore>().await.unwrap());
    let untyped = first.stored::<NoteStore>().await.unwrap();
    assert!(untyped.iter().all(|stored| stored.key.as_ref() == Ok(&stored.id)));
    let app: Vec<StoredStore<larder::Singleton>> = first.stored::<AppStore>().await.unwrap();
    assert!(matches!(app[0].key, Err(StoreIdError::Singleton { .. })));
    first.shutdown(std::time::Duration::from_secs(5)).await;
    drop(first);

    let second = registry(dir.path());
    let mut keys = Vec::new();
    for stored in second.stored::<KeyedStore>().await.unwrap() {
        match stored.key {
            Ok(key) => {
                let opened: Get<KeyedStore> = second.get(&key).existing();
                keys.push((stored.id.to_string(), opened.await.is_ok()));
            }
            Err(error) => assert!(error.to_string().contains("does not fit the pattern `note:{number}`"), "{error}"),
        }
    }
    assert_eq!(keys, [("note:1".to_owned(), true), ("note:7".to_owned(), true)]);
}
