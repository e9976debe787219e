//! What a stream holds: its store, and the registry's observer until the stream ends.

use std::{any::Any, sync::Arc};

use super::Engine;

/// What a stream holds.
pub(crate) struct Observer {
    engine: Arc<Engine>,
    retained: Option<Box<dyn Any + Send + Sync>>,
}

impl Observer {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        Self { retained: engine.shared.host.retain(), engine: Arc::clone(engine) }
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The stream has ended: it keeps the store no longer.
    pub(crate) fn release(&mut self) {
        self.retained = None;
    }
}
