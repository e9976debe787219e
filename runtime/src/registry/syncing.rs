//! What a load with a backend has beside: those that have none pay nothing for it.

use std::{ops::Deref, sync::Arc};

use super::{handle::Core, unsent::Sent};
use crate::{
    options::ResolvedOptions,
    store::StoreName,
    sync::{OnBackendChange, SyncBackend, Told},
};

/// What a load with a backend has beside.
pub(super) struct Synced {
    pub(super) backend: Arc<dyn SyncBackend>,
    /// The store's id on the wire.
    pub(super) sync_id: String,
    /// What the backend is told.
    pub(super) told: Told,
    /// Held by whoever does a step of sending what is unsent.
    pub(super) sending: tokio::sync::Mutex<()>,
    /// How far that is.
    pub(super) sent: Sent,
    pub(super) on_backend_change: OnBackendChange,
}

impl Synced {
    pub(super) fn new(options: &ResolvedOptions, name: &StoreName) -> Option<Box<Self>> {
        let backend = options.sync.clone()?;
        Some(Box::new(Self {
            backend,
            sync_id: options.wire_id(name.id()),
            told: Told::new(options.sync_payload.clone()),
            sending: tokio::sync::Mutex::default(),
            sent: Sent::default(),
            on_backend_change: options.on_backend_change,
        }))
    }
}

/// A load that has a backend.
#[derive(Clone, Copy)]
pub(super) struct Syncing<'a> {
    core: &'a Core,
    pub(super) synced: &'a Synced,
}

impl Deref for Syncing<'_> {
    type Target = Core;

    fn deref(&self) -> &Core {
        self.core
    }
}

impl Core {
    /// The load with its backend, if it has one.
    pub(super) fn syncing(&self) -> Option<Syncing<'_>> {
        Some(Syncing { core: self, synced: self.synced.as_deref()? })
    }

    pub(super) fn backend(&self) -> Option<&Arc<dyn SyncBackend>> {
        self.synced.as_deref().map(|synced| &synced.backend)
    }
}
