//! Every future and stream works under an executor that knows nothing of tokio.

use std::time::Duration;

use futures_util::future::join_all;
use larder::{EventNumber, OpenOptions, prelude::*};
use larder_tests::{
    executor::block_on,
    notebook::{Note, Notebook, note, written},
};

fn registries() -> [(StoreRegistry, Option<tempfile::TempDir>); 2] {
    let dir = tempfile::tempdir().unwrap();
    let on_disk = StoreRegistry::builder().data_dir(dir.path()).build().unwrap();
    [(on_disk, Some(dir)), (StoreRegistry::builder().in_memory().build().unwrap(), None)]
}

#[test]
fn stores_load_commit_read_and_close_under_any_executor() {
    for (registry, dir) in registries() {
        block_on(async {
            let store = registry.get::<Notebook>("book:1").await.unwrap();
            store.commit_async([written(1), written(2)]).await.unwrap();
            let mut events = store.events(EventNumber::ZERO);
            let mut changes = store.changes();
            store.commit(written(3)).unwrap();
            for number in ["e1", "e2", "e3"] {
                assert_eq!(events.next().await.unwrap().unwrap().number.to_string(), number);
            }
            assert!(changes.next().await.unwrap().is_ok());
            assert_eq!(store.query(Note::by_key(2)).unwrap(), Some(note(2)));
            registry.preload::<Notebook>("book:2").await.unwrap();
            registry.preload::<Notebook>("book:3").detach();
            registry.evict::<Notebook>("book:1").await.unwrap();
            assert!(events.next().await.unwrap().is_err());
            if dir.is_some() {
                assert_eq!(registry.get::<Notebook>("book:1").await.unwrap().query(Note::all()).unwrap().len(), 3);
                assert!(registry.delete::<Notebook>("book:2").await.unwrap());
                assert!(!registry.stored::<Notebook>().await.unwrap().is_empty());
            }
            registry.clear().await.unwrap();
            assert!(registry.shutdown(Duration::from_secs(5)).await.is_clean());
        });
    }
}

#[test]
fn many_threads_with_executors_of_their_own_share_one_load() {
    for (registry, _dir) in registries() {
        std::thread::scope(|scope| {
            for thread in 0..8_i64 {
                let registry = &registry;
                scope.spawn(move || {
                    block_on(async {
                        let stores = join_all((0..4).map(|_| registry.get::<Notebook>("book:1"))).await;
                        for (at, store) in (0..).zip(stores) {
                            store.unwrap().commit_async(written(thread * 4 + at)).await.unwrap();
                        }
                    });
                });
            }
        });
        let store = block_on(registry.get::<Notebook>("book:1")).unwrap();
        assert_eq!((store.query(Note::all().count()).unwrap(), store.head().to_string()), (32, "e32".to_owned()));
    }
}

#[test]
fn a_store_without_a_registry_works_under_any_executor() {
    block_on(async {
        let store = Store::<Notebook>::open("book:1", OpenOptions::in_memory()).await.unwrap();
        store.commit_async(written(1)).await.unwrap();
        assert_eq!(store.query(Note::all()).unwrap(), [note(1)]);
        store.close().await.unwrap();
    });
}
