//! The seam between a loaded store and the registry that loaded it.

use std::{any::Any, sync::Arc};

use crate::error::StoreError;

/// What a loaded store tells the registry. One implementation per load; every call is short and may come from any thread.
pub(crate) trait EngineHost: Send + Sync {
    /// The first call after a quiet time. About a second later [`Engine::maintain`](super::Engine::maintain) is due.
    fn busy(&self);

    /// So many events were committed.
    fn committed(&self, _events: usize) {}

    /// The store stopped for good and answers this error from now on.
    fn stopped(&self, error: StoreError);

    /// An observer that a stream holds while it lives; dropping it releases. `None` when the load is over.
    fn retain(&self) -> Option<Box<dyn Any + Send + Sync>>;
}

/// A host for stores that nobody manages: [`Engine::open`](super::Engine::open) in unit tests, `verify`'s tables in memory.
#[derive(Debug, Default)]
pub(crate) struct NoHost;

impl EngineHost for NoHost {
    fn busy(&self) {}

    fn stopped(&self, _error: StoreError) {}

    fn retain(&self) -> Option<Box<dyn Any + Send + Sync>> {
        Some(Box::new(()))
    }
}

/// Where the progress of a load goes.
pub(crate) type ProgressSink = Arc<dyn Fn(super::LoadProgress) + Send + Sync>;
