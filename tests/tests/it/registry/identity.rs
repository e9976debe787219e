//! Definitions, ids, the data dir: what is on disk, who owns what, who commits.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use larder::{DeleteError, LoadError, Only, OpenOptions, prelude::*};
use larder_tests::lab::copy_dir;

use super::support::*;

mod other {
    use super::super::support::NoteSchema;
    use larder::prelude::*;

    larder::define_store! {
        /// Another type with a name that is taken.
        pub(crate) NoteStore {
            name: "note",
            schema: NoteSchema,
            adapter: SqliteAdapter::persisted(),
        }
    }
}

larder::define_store! {
    /// A name that differs in case alone.
    pub(crate) ShoutingStore {
        name: "NOTE",
        schema: NoteSchema,
        adapter: SqliteAdapter::persisted(),
    }
}

async fn shut_down(registry: StoreRegistry) {
    assert!(registry.shutdown(Duration::from_secs(5)).await.is_clean());
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        }
        found.push(entry.path());
    }
    found
}

#[tokio::test]
async fn the_first_definition_that_uses_a_name_owns_it() {
    let bench = Bench::new();
    let _owner = bench.get::<NoteStore>("n").await.unwrap();
    match bench.get::<other::NoteStore>("m").await {
        Err(error @ LoadError::DefinitionConflict { .. }) => assert_eq!(
            error.to_string(),
            "definition name `note` is used by `it::registry::support::NoteStore` and by \
             `it::registry::identity::other::NoteStore`; give one of them another name"
        ),
        found => panic!("{found:?}"),
    }
    assert!(bench.get::<ShoutingStore>("n").await.is_ok());
    let both = StoreRegistry::builder().in_memory().definition::<NoteStore>().definition::<other::NoteStore>().build();
    assert!(matches!(both, Err(LoadError::DefinitionConflict { .. })));
}

#[tokio::test]
async fn a_bad_id_is_an_error_of_the_get_and_no_store_elsewhere() {
    let bench = Bench::new();
    assert!(matches!(bench.get::<NoteStore>("../x").await, Err(LoadError::Id { definition: "note", .. })));
    assert!(!bench.has::<NoteStore>("a b"));
    assert!(bench.try_get::<NoteStore>("").is_none());
    bench.evict::<NoteStore>("a/b").await.unwrap();
    assert!(matches!(bench.delete::<NoteStore>("a/b").await, Err(DeleteError::Id { .. })));
}

#[tokio::test]
async fn a_singleton_is_opened_without_an_id() {
    let bench = Bench::new();
    let app = bench.get_singleton::<AppStore>().await.unwrap();
    assert_eq!(app.id().as_str(), "app-root");
    app.commit(written(1)).unwrap();
    let same = bench.get::<AppStore>(Only).await.unwrap();
    assert_eq!(same.query(Note::all()).unwrap().len(), 1);
    assert!(bench.has::<AppStore>(Only));
    bench.evict::<AppStore>(Only).await.unwrap();
    assert!(!bench.has::<AppStore>(Only));
}

#[tokio::test]
async fn file_names_are_readable_and_stay_inside_the_data_dir() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    let id = StoreId::from_parts(["project", "../../rusqlite/rusqlite", "issue", "7"]).unwrap();
    drop(registry.get::<NoteStore>(id.clone()).await.unwrap());
    drop(registry.get::<ShoutingStore>("A:B").await.unwrap());
    drop(registry.get::<ShoutingStore>("a:b").await.unwrap());
    let stored = registry.stored::<NoteStore>().await.unwrap();
    assert_eq!((stored.len(), &stored[0].id), (1, &id));
    let name = stored[0].file.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("project-") && name.ends_with(".db") && !name.contains(id.as_str()), "{name}");
    assert!(stored[0].file.starts_with(dir.path().canonicalize().unwrap().join("stores/note")));
    let shouting = registry.stored::<ShoutingStore>().await.unwrap();
    let lower = |path: &Path| path.to_str().unwrap().to_lowercase();
    assert_ne!(lower(&shouting[0].file), lower(&shouting[1].file));
    assert!(!shouting[0].file.starts_with(dir.path().canonicalize().unwrap().join("stores/note")));
    shut_down(registry).await;
}

#[cfg(unix)]
#[tokio::test]
async fn folders_and_files_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("deep/data");
    let registry = registry(&data);
    let handle = registry.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    let mut seen = 0;
    for path in files(dir.path()) {
        let found = fs::metadata(&path).unwrap();
        let wanted = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(found.permissions().mode() & 0o777, wanted, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 9, "{seen} files and folders");
    shut_down(registry).await;
}

#[cfg(unix)]
#[tokio::test]
async fn symlinks_inside_the_data_dir_are_refused() {
    use std::os::unix::fs::symlink;
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["stores", "client", "catalog.db"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("file"), "").unwrap();
        let target = if name == "stores" { elsewhere.path().to_owned() } else { elsewhere.path().join("file") };
        symlink(target, dir.path().join(name)).unwrap();
        let built = StoreRegistry::builder().data_dir(dir.path()).build();
        assert!(matches!(built, Err(LoadError::DataDir { .. })), "{name}: {built:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let first = registry(dir.path());
    drop(first.get::<NoteStore>("n").await.unwrap());
    let file = first.stored::<NoteStore>().await.unwrap().remove(0).file;
    shut_down(first).await;
    let moved = elsewhere.path().join("moved.db");
    fs::rename(&file, &moved).unwrap();
    symlink(&moved, &file).unwrap();
    let second = registry(dir.path());
    assert!(second.get::<NoteStore>("n").await.is_err());
    symlink(elsewhere.path(), dir.path().join("stores/app")).unwrap();
    assert!(matches!(second.get_singleton::<AppStore>().await, Err(LoadError::DataDir { .. })));
}

#[tokio::test]
async fn a_catalog_that_fails_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    let catalog = dir.path().join("catalog.db");
    rusqlite::Connection::open(&catalog).unwrap().execute_batch("DROP TABLE stores").unwrap();
    let load = registry.get::<NoteStore>("n").await.unwrap_err();
    assert!(matches!(&load, LoadError::Storage { file, .. } if file.ends_with("catalog.db")), "{load:?}");
    let list = registry.stored::<NoteStore>().await.unwrap_err();
    assert!(matches!(list, LoadError::Catalog { definition: "note", .. }), "{list:?}");
    for (error, which, to_do) in [(load, "note/n", "get it again"), (list, "`note`", "ask again")] {
        let text = error.to_string();
        for words in [which, to_do, "catalog.db", "no such table: stores"] {
            assert!(text.contains(words), "`{words}` is missing in: {text}");
        }
    }
    shut_down(registry).await;
    let anew = self::registry(dir.path()).stored::<NoteStore>().await.unwrap();
    assert!(anew.is_empty(), "{anew:?}");
}

#[tokio::test]
async fn the_catalog_lists_stores_that_are_not_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let first = registry(dir.path());
    for id in ["b", "a", "c"] {
        drop(first.get::<NoteStore>(id).await.unwrap());
    }
    shut_down(first).await;
    let second = registry(dir.path());
    let ids = |stored: Vec<larder::StoredStore>| stored.iter().map(|store| store.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(second.stored::<NoteStore>().await.unwrap()), ["a", "b", "c"]);
    assert!(ids(second.stored::<PatientStore>().await.unwrap()).is_empty());
    assert!(second.stats().stores.is_empty());
}

#[tokio::test]
async fn a_lost_or_damaged_catalog_is_made_anew_from_the_stores() {
    let dir = tempfile::tempdir().unwrap();
    for damage in [None, Some("not a database at all, though it is long enough to have a header"), Some("")] {
        let first = registry(dir.path());
        for id in ["x:1", "x:2"] {
            first.get::<NoteStore>(id).await.unwrap().query(Note::all()).unwrap();
        }
        shut_down(first).await;
        match damage {
            None => fs::remove_file(dir.path().join("catalog.db")).unwrap(),
            Some(text) => fs::write(dir.path().join("catalog.db"), text).unwrap(),
        }
        let second = registry(dir.path());
        let stored = second.stored::<NoteStore>().await.unwrap();
        assert_eq!(stored.len(), 2, "{damage:?}");
        assert!(second.get::<NoteStore>("x:1").await.is_ok());
        shut_down(second).await;
    }
}

#[tokio::test]
async fn delete_removes_a_store_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    let handle = registry.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    assert!(matches!(registry.delete::<NoteStore>("n").await, Err(DeleteError::Observed { observers: 1, .. })));
    assert!(matches!(registry.delete::<NoteStore>("n").forced().await, Err(DeleteError::Observed { .. })));
    drop(handle);
    assert!(registry.delete::<NoteStore>("n").await.unwrap());
    assert!(!registry.delete::<NoteStore>("n").await.unwrap());
    assert!(registry.stored::<NoteStore>().await.unwrap().is_empty());
    assert!(fs::read_dir(dir.path().join("stores/note")).unwrap().next().is_none());
    assert!(registry.get::<NoteStore>("n").await.unwrap().query(Note::all()).unwrap().is_empty());
    shut_down(registry).await;
}

#[tokio::test]
async fn a_get_during_a_delete_gets_a_new_store() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    registry.get::<NoteStore>("n").await.unwrap().commit(written(1)).unwrap();
    let (deleted, got) = tokio::join!(registry.delete::<NoteStore>("n"), async {
        tokio::task::yield_now().await;
        registry.get::<NoteStore>("n").await.unwrap().query(Note::all()).unwrap().len()
    });
    // Whichever came first: a store is either deleted and then new, or observed and then kept.
    match deleted {
        Ok(true) => assert_eq!(got, 0),
        Err(DeleteError::Observed { .. }) => assert_eq!(got, 1),
        other => panic!("{other:?}"),
    }
    shut_down(registry).await;
}

#[tokio::test]
async fn the_client_id_is_made_once_per_data_dir_and_the_session_id_once_per_process() {
    let dir = tempfile::tempdir().unwrap();
    let first = registry(dir.path());
    let second = registry(dir.path());
    let other = StoreRegistry::builder().in_memory().build().unwrap();
    assert_eq!(first.client_id(), second.client_id());
    assert_ne!(first.client_id(), other.client_id());
    assert_eq!(first.session_id(), other.session_id());
    assert_eq!(first.client_id().as_str().len(), 32);
}

#[tokio::test]
async fn a_copied_data_dir_gets_a_new_client_id_and_a_moved_one_keeps_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original");
    let first = registry(&original);
    let client = first.client_id().clone();
    let handle = first.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    shut_down(first).await;

    copy_dir(&original, &dir.path().join("copy"));
    let copied = registry(&dir.path().join("copy"));
    assert_ne!(*copied.client_id(), client);
    let handle = copied.get::<NoteStore>("n").await.unwrap();
    handle.commit(written(2)).unwrap();
    use futures_util::StreamExt;
    let events: Vec<_> = handle.events(larder::EventNumber::ZERO).take(2).map(Result::unwrap).collect().await;
    assert_eq!(events[0].client_id, client, "an event keeps the id it was committed with");
    assert_eq!(events[1].client_id, *copied.client_id());
    shut_down(copied).await;

    fs::rename(&original, dir.path().join("moved")).unwrap();
    assert_eq!(*registry(&dir.path().join("moved")).client_id(), client);
    assert_ne!(*registry(&dir.path().join("copy")).client_id(), client);
}

#[tokio::test]
async fn a_store_that_is_open_elsewhere_is_locked() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (registry(dir.path()), registry(dir.path()));
    let handle = one.get::<NoteStore>("n").await.unwrap();
    let locked = two.get::<NoteStore>("n").await;
    assert!(matches!(&locked, Err(LoadError::Locked { holder, .. }) if holder == "this process"), "{locked:?}");
    assert!(matches!(two.delete::<NoteStore>("n").await, Err(DeleteError::Locked { .. })));
    assert!(two.get::<NoteStore>("m").await.is_ok());
    handle.close().await.unwrap();
    assert!(two.get::<NoteStore>("n").await.is_ok());
    shut_down(one).await;
    shut_down(two).await;
}

#[tokio::test]
async fn a_store_opens_without_a_registry() {
    let dir = tempfile::tempdir().unwrap();
    let store: StoreHandle<NoteStore> = Store::<NoteStore>::open("n", OpenOptions::data_dir(dir.path())).await.unwrap();
    store.commit(written(1)).unwrap();
    let clone = store.clone();
    drop(store);
    assert_eq!(clone.query(Note::all()).unwrap().len(), 1);
    clone.close().await.unwrap();
    let again = Store::<NoteStore>::open("n", OpenOptions::data_dir(dir.path())).await.unwrap();
    assert_eq!(again.query(Note::all()).unwrap().len(), 1);
    let app = Store::<AppStore>::open(Only, OpenOptions::in_memory()).await.unwrap();
    assert!(app.commit(written(1)).is_ok());
}

#[tokio::test]
async fn a_store_that_opens_without_a_registry_may_load_children() {
    on_load("alone-parent", Hook::Children(vec!["alone-child".to_owned(), "alone-sister".to_owned()]));
    let parent = Store::<HookedStore>::open("alone-parent", OpenOptions::in_memory()).await.unwrap();
    assert!(parent.commit(written(1)).is_ok());
    let dir = tempfile::tempdir().unwrap();
    let on_disk = OpenOptions::data_dir(dir.path());
    let parent = Store::<HookedStore>::open("alone-parent", on_disk).await.unwrap();
    assert!(parent.commit(written(1)).is_ok());
}

#[test]
fn everything_works_without_a_runtime_of_the_app() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    let block_on = |id: &str| larder_tests::executor::block_on(registry.get::<NoteStore>(id));
    let handle = block_on("n").unwrap();
    handle.commit(written(1)).unwrap();
    drop(handle);
    let report = larder_tests::executor::block_on(registry.shutdown(Duration::from_secs(5)));
    assert!(report.is_clean());
}

#[test]
fn a_tokio_runtime_without_a_timer_is_refused_with_what_to_do() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let built = runtime.block_on(async { StoreRegistry::builder().in_memory().build() });
    let Err(error) = built else { panic!("a registry without a timer") };
    assert!(error.to_string().contains("enable_time()"), "{error}");
}
