//! Many stores of one registry, at the limits that a server usually has: larder's own client lives within them, and nobody raises anything.
//! Time is tokio's, and stands still while anybody has something to do.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use larder::{
    BackendError, BoxStream, GcTime, Payload, PullPage, PullRequest, PushRequest, Receipt, StoreOptions, SyncBackend,
    TooManyStores, WsBackend, prelude::*,
};
use larder_server::Settings;
use tokio::time::sleep;

use crate::{
    apps::{LineEvent, PageSchema, Way, added},
    lab::Lab,
};

define_store! {
    /// A page that is gone when it is closed.
    Leaf {
        name: "leaf",
        schema: PageSchema,
        adapter: SqliteAdapter::in_memory(),
        gc_time: GcTime::NEVER,
    }
}

/// An app with so many stores, all of them loaded.
async fn leaves(backend: Arc<dyn SyncBackend>, stores: usize) -> (StoreRegistry, Vec<StoreHandle<Leaf>>) {
    let options = StoreOptions::new().sync(backend);
    let registry = StoreRegistry::builder().in_memory().capacity(stores).defaults(options).build().expect("a registry");
    let mut leaves = Vec::new();
    for number in 0..stores {
        leaves.push(registry.get::<Leaf>(format!("leaf-{number}").as_str()).await.expect("it loads"));
    }
    (registry, leaves)
}

async fn all_confirmed(receipts: Vec<Receipt>) {
    for receipt in receipts {
        receipt.confirmed().await.expect("confirmed");
    }
}

fn commit(leaves: &[StoreHandle<Leaf>], event: impl Fn() -> LineEvent) -> Vec<Receipt> {
    leaves.iter().map(|leaf| leaf.commit(event()).expect("it commits")).collect()
}

async fn refusals(lab: &Lab) -> (i64, i64) {
    (lab.metric("too_fast_total").await, lab.metric("refused_total").await)
}

#[tokio::test(start_paused = true)]
async fn six_hundred_stores_of_one_registry_sync_at_a_servers_usual_limits() {
    let lab = Lab::open().await;
    let (_registry, leaves) = leaves(Way::Ws.to(lab.address), 600).await;
    all_confirmed(commit(&leaves, || added("a line"))).await;
    assert_eq!(refusals(&lab).await, (0, 0));
    assert_eq!(lab.metric("sockets").await, 3, "256 stores a connection");
    assert_eq!(lab.metric("live_pulls").await, 600);
}

#[tokio::test(start_paused = true)]
async fn the_pushes_of_many_stores_stay_within_what_a_server_takes_of_one_connection() {
    let lab = Lab::open().await;
    for way in [Way::Ws, Way::Http] {
        let (_registry, leaves) = leaves(way.to(lab.address), 100).await;
        let mut receipts = Vec::new();
        for _ in 0..4 {
            receipts.extend(commit(&leaves, || added("a line")));
            sleep(Duration::from_secs(1)).await;
        }
        all_confirmed(receipts).await;
        assert_eq!(refusals(&lab).await, (0, 0), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_large_pushes_stay_within_the_bytes_that_a_server_takes_of_one_connection() {
    let lab = Lab::open().await;
    for way in [Way::Ws, Way::Http] {
        let (_registry, leaves) = leaves(way.to(lab.address), 16).await;
        let large = "x".repeat(220_000);
        // 14 MB, of which 5 MiB may come at once.
        let receipts = (0..4).flat_map(|_| commit(&leaves, || added(&large))).collect();
        all_confirmed(receipts).await;
        assert_eq!(refusals(&lab).await, (0, 0), "{way:?}");
        assert!(lab.metric("sockets").await <= 1, "none was closed");
    }
}

/// A live pull that has had its first answer.
async fn live<'a>(
    backend: &'a WsBackend,
    store: &'a str,
    payload: &'a Payload,
) -> Result<BoxStream<'a, Result<PullPage, BackendError>>, BackendError> {
    let mut pull = backend.pull(PullRequest::new(store, payload).live(true));
    pull.next().await.expect("an answer").map(|_| pull)
}

fn names(stores: usize) -> Vec<String> {
    (0..stores).map(|number| format!("s{number}")).collect()
}

async fn a_few_stores_a_connection(stores_per_connection: usize) -> (Lab, Arc<WsBackend>) {
    let lab = Lab::with(Settings { stores_per_connection, ..Settings::default() }).await;
    let backend = WsBackend::new(format!("ws://{}", lab.address)).expect("a URL");
    (lab, backend)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_fewer_stores_a_connection_says_so_and_gets_more_connections() {
    let (lab, backend) = a_few_stores_a_connection(3).await;
    let (payload, names) = (Payload::new(), names(20));
    let pulls = futures_util::future::join_all(names.iter().map(|name| live(&backend, name, &payload))).await;
    let mut pulls: Vec<_> = pulls.into_iter().map(|pull| pull.expect("it has a place")).collect();
    assert_eq!(lab.metric("sockets").await, 7);
    assert_eq!(lab.metric("refused_total").await, 17, "who was refused once says what the others have to know");
    // A push goes where its store's pull is: it needs no place of its own.
    for (name, pull) in names.iter().zip(&mut pulls) {
        backend.push(PushRequest::new(name, 0, &[], &payload)).await.expect("an answer");
        assert!(futures_util::FutureExt::now_or_never(pull.next()).is_none(), "{name}: it goes on");
    }
    assert_eq!(lab.metric("refused_total").await, 17);
}

#[tokio::test(start_paused = true)]
async fn a_store_beyond_all_connections_is_told_what_is_full_and_what_to_do() {
    let (_lab, backend) = a_few_stores_a_connection(1).await;
    let (payload, names) = (Payload::new(), names(9));
    let mut pulls = Vec::new();
    for name in &names[..8] {
        pulls.push(live(&backend, name, &payload).await.expect("it has a place"));
    }
    let Err(BackendError::Other(error)) = live(&backend, &names[8], &payload).await else { panic!("no error") };
    let full = error.downcast_ref::<TooManyStores>().expect("the typed error");
    assert_eq!((full.store.as_str(), full.stores, full.connections), ("s8", 8, 8));
    let said = full.to_string();
    assert!(said.contains("s8") && said.contains("stores_per_connection"), "{said}");
    // Who leaves makes room, as soon as the server knows.
    drop(pulls.pop());
    sleep(Duration::from_millis(1)).await;
    pulls.push(live(&backend, &names[8], &payload).await.expect("there is room"));
}

#[tokio::test(start_paused = true)]
async fn a_further_connection_that_nobody_needs_any_more_is_closed() {
    let (lab, backend) = a_few_stores_a_connection(3).await;
    let (payload, names) = (Payload::new(), names(6));
    let mut pulls = Vec::new();
    for name in &names {
        pulls.push(live(&backend, name, &payload).await.expect("it has a place"));
    }
    assert_eq!(lab.metric("sockets").await, 2);
    pulls.truncate(3);
    sleep(Duration::from_secs(60)).await;
    assert_eq!((lab.metric("sockets").await, lab.metric("live_pulls").await), (1, 3));
    for name in &names[3..] {
        pulls.push(live(&backend, name, &payload).await.expect("it has a place"));
    }
    assert_eq!((lab.metric("sockets").await, lab.metric("live_pulls").await), (2, 6));
}
