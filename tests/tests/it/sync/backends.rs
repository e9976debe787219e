//! Backends that larder brings are as backends are to be.

use std::sync::Arc;

use larder::{LocalBackend, testing::sync_backend_conforms};

#[tokio::test]
async fn the_backend_in_memory_is_as_backends_are_to_be() {
    let backend = LocalBackend::new("local");
    let other = backend.another();
    sync_backend_conforms([backend as Arc<_>, other]).await;
}
