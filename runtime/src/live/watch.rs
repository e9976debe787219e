//! Hearing of changes in the rows that a query reads, without being one of the store's live queries.

use std::{
    sync::{Arc, Weak},
    task::Waker,
};

use super::{
    affected::Footprint,
    index::{Registration, footprints},
    news::Inbox,
};
use crate::{
    query::{Description, Query},
    store::Engine,
    table::TableSchema,
};

/// A waker that is woken by commits of one store that can change a query's result. It does not keep the store.
pub(crate) struct RowWatch {
    engine: Weak<Engine>,
    id: u64,
    footprints: Vec<(&'static TableSchema, Footprint)>,
    inbox: Arc<Inbox>,
}

impl RowWatch {
    pub(crate) fn new(engine: &Arc<Engine>, query: &impl Query) -> Self {
        let mut description = Description::default();
        query.__describe(&mut description);
        let (reads, _) = description.into_parts();
        let footprints = footprints(reads, engine.tables());
        let inbox = Arc::new(Inbox::new(false));
        let registration = Registration { inbox: Arc::clone(&inbox), footprints: footprints.clone() };
        let id = engine.live().insert(registration);
        Self { engine: Arc::downgrade(engine), id, footprints, inbox }
    }

    /// Whether it is of this load of a store.
    pub(crate) fn is_of(&self, engine: &Arc<Engine>) -> bool {
        std::ptr::eq(self.engine.as_ptr(), Arc::as_ptr(engine))
    }

    /// Wakes `waker` at the next change. Read after this call, not before, or a change is missed.
    pub(crate) fn watch(&self, waker: &Waker) {
        self.inbox.take();
        self.inbox.watch(0, waker);
    }
}

impl Drop for RowWatch {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.upgrade() {
            engine.live().remove(self.id, None, &self.footprints);
        }
    }
}
