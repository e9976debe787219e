//! Rounds of the same work, each from an empty folder to a registry that is gone.

use std::{fs, path::Path, time::Duration};

use larder::{EventNumber, prelude::*};
use larder_benches::heap;

use crate::app::{Issue, IssueStore, MemoryStore, opened};

/// Stores in files, and as many in memory.
const STORES: i64 = 40;
/// What is made once for the whole process is there after so many rounds.
const WARM: usize = 2;
const ROUNDS: usize = 5;

/// Everything that an app may do with stores, from an empty folder to a registry that is gone.
fn round(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    runtime.block_on(async {
        let registry = StoreRegistry::builder().data_dir(folder).capacity(1_000).build().unwrap();
        let mut held = Vec::new();
        for number in 0..STORES {
            let file = registry.get::<IssueStore>(format!("issue:{number}")).await.unwrap();
            let memory = registry.get::<MemoryStore>(format!("issue:{number}")).await.unwrap();
            use_store(&file).await;
            use_store(&memory).await;
            match number % 4 {
                // Handles that outlive their store, and stores that nobody holds.
                0 => held.push(file),
                1 => registry.evict::<IssueStore>(format!("issue:{number}")).await.unwrap(),
                2 => {
                    drop(file);
                    assert!(registry.delete::<IssueStore>(format!("issue:{number}")).forced().await.unwrap());
                }
                _ => drop((file, memory)),
            }
        }
        // Loads that fail, and one that nobody waits for.
        assert!(registry.get::<IssueStore>("missing").existing().await.is_err());
        drop(registry.preload::<IssueStore>("issue:0"));
        registry.clear().await.unwrap();
        assert!(registry.shutdown(Duration::from_secs(60)).await.is_clean());
        drop((registry, held));
    });
    // Its threads are gone when this returns.
    drop(runtime);
}

/// Commits, queries, streams and subscriptions, some of them in use when the store ends.
async fn use_store<D>(store: &StoreHandle<D>)
where
    D: larder::StoreDefinition<Schema = crate::app::IssueSchema>,
{
    let mut live = store.subscribe(Issue::all().order_by(Issue::NUMBER.asc()).limit(5));
    let (mut events, changes) = (store.events(EventNumber::ZERO), store.changes());
    for number in 0..10 {
        store.commit(opened(number)).unwrap();
    }
    assert!(store.commit(opened(3)).is_err(), "its key is there");
    assert_eq!(store.query(Issue::all().count()).unwrap(), 10);
    assert!(store.read(|state| state.query(Issue::by_key(3))).unwrap().is_some());
    assert!(store.verify().unwrap().is_sound());
    assert!(events.next().await.unwrap().is_ok());
    assert_eq!(live.next().await.unwrap().unwrap().len(), 5);
    drop((events, changes, live));
}

#[test]
fn every_byte_comes_back_when_stores_and_registries_end() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    // It is not to grow while it is counted.
    let mut after = Vec::with_capacity(WARM + ROUNDS);
    heap::allocated();
    for _ in 0..WARM + ROUNDS {
        round(&folder);
        fs::remove_dir_all(&folder).unwrap();
        after.push(heap::allocated());
    }
    println!("bytes of Rust and of SQLite after each round: {after:?}");
    let (warm, rounds) = after.split_at(WARM);
    let (rust, sqlite) = warm[WARM - 1];
    for round in rounds {
        assert!(round.0 <= rust && round.1 <= sqlite, "{after:?}");
    }
}
