//! How a registry stands to the network, for whoever shows it.

use futures_util::FutureExt;
use larder::{LocalBackend, StoreOptions, prelude::*, testing::TestRegistry};
use larder_tests::notebook::{Notebook, written};

use super::clients::{STORE, log};

fn registry(options: StoreOptions) -> TestRegistry {
    TestRegistry::build(StoreRegistry::builder().in_memory().defaults(options)).unwrap()
}

fn connections(registry: &TestRegistry) -> String {
    let all = registry.network().connections();
    let shown = all.iter().map(|one| format!("{}: {}", one.identity, one.connected));
    shown.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_registry_says_which_backends_it_has_stores_for_and_whether_each_can_be_reached() {
    let (one, two) = (LocalBackend::new("one"), LocalBackend::new("two"));
    let registry = registry(StoreOptions::new().sync(one.clone()));
    let network = registry.network();
    assert!(!network.is_connected() && network.connections().is_empty(), "nobody looks for a backend yet");
    let _store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    assert_eq!((connections(&registry).as_str(), network.is_connected()), ("one: true", true));
    two.set_connected(false);
    let _other = registry.get::<Notebook>("book:2").options(StoreOptions::new().sync(two.clone())).await.unwrap();
    registry.settle().await;
    assert_eq!((connections(&registry).as_str(), network.is_connected()), ("one: true, two: false", false));
    two.set_connected(true);
    registry.settle().await;
    assert!(network.is_connected());
}

#[tokio::test]
async fn off_the_network_nothing_is_connected_and_each_change_is_told_once() {
    let backend = LocalBackend::new("one");
    let registry = registry(StoreOptions::new().sync(backend.clone()));
    let network = registry.network();
    let store = registry.get::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    let changed = network.changed();
    store.commit(written(1)).unwrap();
    registry.settle().await;
    assert!(changed.now_or_never().is_none(), "a commit is no change of the network");
    let changed = network.changed();
    network.set_offline(true);
    registry.settle().await;
    assert!(changed.now_or_never().is_some());
    assert_eq!((connections(&registry).as_str(), network.is_connected()), ("one: false", false));
    let changed = network.changed();
    store.commit(written(2)).unwrap();
    network.set_offline(true);
    registry.settle().await;
    assert!(changed.now_or_never().is_none());
    assert_eq!(log(&store), "e1 | e2");
    network.set_offline(false);
    registry.settle().await;
    assert_eq!((log(&store).as_str(), network.is_connected()), ("e1 e2", true));
    let changed = network.changed();
    backend.set_connected(false);
    registry.settle().await;
    assert!(changed.now_or_never().is_some() && !network.is_connected() && !network.is_offline());
}

#[tokio::test]
async fn a_backend_that_is_gone_is_not_named_any_more() {
    let registry = registry(StoreOptions::new());
    let backend = LocalBackend::new("of a call");
    let store = registry.get::<Notebook>(STORE).options(StoreOptions::new().sync(backend.clone())).await.unwrap();
    registry.settle().await;
    assert_eq!(connections(&registry), "of a call: true");
    drop((store, backend));
    registry.evict::<Notebook>(STORE).await.unwrap();
    registry.settle().await;
    assert_eq!(connections(&registry), "");
}
