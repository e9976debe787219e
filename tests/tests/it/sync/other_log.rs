//! A backend's log that is another one than before, and what the store's file says of it.

use larder::{LocalBackend, OnBackendChange, StoreOptions, SyncPhase};
use larder_tests::notebook::{Notebook, written};

use super::clients::{Client, STORE, log};

#[tokio::test]
async fn another_log_that_was_as_good_is_the_store_s_own_from_the_next_confirmation_on() {
    let backend = LocalBackend::new("local");
    let client = Client::with(&backend, true, |options| options.on_backend_change(OnBackendChange::Ignore));
    let store = client.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    client.sync_once().await;
    backend.replace(STORE, backend.events(STORE));
    store.commit(written(2)).unwrap();
    client.sync_once().await;
    assert_eq!(log(&store), "e1 e2");
    drop(store);
    client.evict::<Notebook>(STORE).await.unwrap();
    let strict = StoreOptions::new().on_backend_change(OnBackendChange::Stop);
    let store = client.get::<Notebook>(STORE).options(strict).await.unwrap();
    store.commit(written(3)).unwrap();
    client.sync().await;
    let status = store.sync_status();
    assert_eq!((status.phase, log(&store).as_str()), (SyncPhase::Live, "e1 e2 e3"), "{:?}", status.last_error);
}
