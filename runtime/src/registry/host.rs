//! What a loaded store tells its registry.

use std::{
    any::Any,
    sync::{Arc, Weak},
};

use super::{
    handle::{Hold, LoadRef},
    shared::Shared,
    state::Reason,
    watch::Signals,
};
use crate::{
    error::StoreError,
    store::{EngineHost, StoreName},
    telemetry::Happened,
};

pub(super) struct Host {
    pub(super) load: LoadRef,
    pub(super) shared: Weak<Shared>,
    /// The store's name, when commits are noted for a test.
    pub(super) logged: Option<StoreName>,
    /// Who watches the registry.
    pub(super) signals: Arc<Signals>,
    pub(super) has_backend: bool,
}

impl EngineHost for Host {
    fn busy(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.busy(self.load);
        }
    }

    fn committed(&self, events: usize) {
        self.signals.changed();
        if self.has_backend
            && let Some(shared) = self.shared.upgrade()
        {
            shared.committed(self.load);
        }
        if let Some(name) = &self.logged
            && let Some(shared) = self.shared.upgrade()
        {
            shared.happened(|| Happened::Committed(name.clone(), events));
        }
    }

    fn stopped(&self, error: StoreError) {
        let Some(shared) = self.shared.upgrade() else { return };
        shared.with(|state, actions| {
            if state.slots.of(self.load).is_some_and(|slot| slot.loaded.is_some()) {
                state.evict(self.load.slot, &Reason::Stopped(error), actions);
            }
        });
    }

    fn retain(&self) -> Option<Box<dyn Any + Send + Sync>> {
        let shared = self.shared.upgrade()?;
        let mut state = shared.lock();
        let slot = state.slots.of(self.load)?;
        let loaded = match &slot.opened {
            // `on_load` runs: the store has no other observers than those who wait.
            Some(opened) => {
                let opened = opened.upgrade()?;
                opened.core().count();
                opened
            }
            None => {
                slot.loaded.as_ref()?;
                state.join(self.load.slot, None, false)?.ok()?
            }
        };
        drop(state);
        shared.signals.changed();
        // The store is let go of before its own registry is.
        Some(Box::new((Hold::counted(loaded), shared.owner_by_store())))
    }
}
