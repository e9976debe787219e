//! The layers and how they resolve.

use std::sync::Arc;

use super::{Attributes, Durability, GcTime, InitialSync, IntoGcTime, Limits, Payload, UnknownEvents};
use crate::{
    id::StoreId,
    sync::{OnBackendChange, SyncBackend},
};

/// Maps a store id to the id on the wire.
pub(crate) type SyncId = fn(&StoreId) -> String;

/// One layer of options; what is absent comes from the layer before: registry defaults, definition, call.
///
/// ```
/// use larder::{Durability, GcTime, StoreOptions};
/// let options = StoreOptions::new().gc_time(GcTime::minutes(5)).durability(Durability::Power);
/// assert_eq!(options.gc_time, Some(GcTime::minutes(5)));
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct StoreOptions {
    /// How long the store stays loaded without observers.
    pub gc_time: Option<GcTime>,
    /// What a commit survives.
    pub durability: Option<Durability>,
    /// What to do with unknown events.
    pub unknown_events: Option<UnknownEvents>,
    /// Largest event, in bytes of its arguments as JSON.
    pub max_event_bytes: Option<usize>,
    /// Most events in one commit.
    pub max_commit_events: Option<usize>,
    /// Where the store's events are sent to and come from.
    pub sync: Option<Arc<dyn SyncBackend>>,
    /// The store's id on the wire, when it is not the store id.
    pub sync_id: Option<fn(&StoreId) -> String>,
    /// Whether a load waits until the store has all that its backend has.
    pub initial_sync: Option<InitialSync>,
    /// What to do when the backend's log is another one than before.
    pub on_backend_change: Option<OnBackendChange>,
    /// What the sync backend is told; merges per key.
    pub sync_payload: Option<Payload>,
    /// Attributes of the store's spans; merge per key.
    pub attributes: Option<Attributes>,
}

impl StoreOptions {
    /// A layer that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether anything is set that a loaded store cannot take on.
    pub(crate) fn has_fixed(&self) -> bool {
        self.durability.is_some()
            || self.unknown_events.is_some()
            || self.max_event_bytes.is_some()
            || self.max_commit_events.is_some()
            || self.sync.is_some()
            || self.sync_id.is_some()
            || self.initial_sync.is_some()
            || self.on_backend_change.is_some()
            || self.attributes.is_some()
    }

    /// How long the store stays loaded without observers.
    #[must_use]
    pub fn gc_time(mut self, gc_time: impl IntoGcTime) -> Self {
        self.gc_time = Some(gc_time.into_gc_time());
        self
    }

    /// What a commit survives.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// What to do with events that this version of the app does not know.
    #[must_use]
    pub fn unknown_events(mut self, unknown_events: UnknownEvents) -> Self {
        self.unknown_events = Some(unknown_events);
        self
    }

    /// Largest event, in bytes of its arguments as JSON: see [`Limits::max_event_bytes`](super::Limits::max_event_bytes) before it is raised for a
    /// store that syncs.
    #[must_use]
    pub fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.max_event_bytes = Some(bytes);
        self
    }

    /// Most events in one commit.
    #[must_use]
    pub fn max_commit_events(mut self, events: usize) -> Self {
        self.max_commit_events = Some(events);
        self
    }

    /// Where the store's events are sent to and come from.
    #[must_use]
    pub fn sync(mut self, backend: Arc<dyn SyncBackend>) -> Self {
        self.sync = Some(backend);
        self
    }

    /// Maps the store id to the id on the wire: a store id as well, or `[A-Za-z0-9_-]+`, which is what TypeScript clients take. A load whose
    /// id is mapped to anything else fails with [`LoadError::SyncId`](crate::LoadError::SyncId).
    #[must_use]
    pub fn sync_id(mut self, sync_id: fn(&StoreId) -> String) -> Self {
        self.sync_id = Some(sync_id);
        self
    }

    /// Whether a load waits until the store has all that its backend has.
    #[must_use]
    pub fn initial_sync(mut self, initial_sync: InitialSync) -> Self {
        self.initial_sync = Some(initial_sync);
        self
    }

    /// What to do when the backend's log is another one than before.
    #[must_use]
    pub fn on_backend_change(mut self, on_backend_change: OnBackendChange) -> Self {
        self.on_backend_change = Some(on_backend_change);
        self
    }

    /// What the sync backend is told; merges per key with the other layers.
    #[must_use]
    pub fn sync_payload(mut self, payload: Payload) -> Self {
        self.sync_payload = Some(payload);
        self
    }

    /// Attributes of the store's spans; merge per key with the other layers.
    #[must_use]
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = Some(attributes);
        self
    }
}

impl std::fmt::Debug for StoreOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("StoreOptions")
            .field("gc_time", &self.gc_time)
            .field("durability", &self.durability)
            .field("unknown_events", &self.unknown_events)
            .field("max_event_bytes", &self.max_event_bytes)
            .field("max_commit_events", &self.max_commit_events)
            .field("sync", &self.sync.as_ref().map(|backend| backend.identity().to_owned()))
            .field("sync_id", &self.sync_id.is_some())
            .field("initial_sync", &self.initial_sync)
            .field("on_backend_change", &self.on_backend_change)
            .field("sync_payload", &self.sync_payload)
            .field("attributes", &self.attributes)
            .finish()
    }
}

/// The layers, lowest first.
#[derive(Clone, Copy)]
pub(crate) struct Layers<'a> {
    pub(crate) registry: &'a StoreOptions,
    pub(crate) definition: &'a StoreOptions,
    pub(crate) call: &'a StoreOptions,
}

impl Layers<'_> {
    pub(crate) fn resolve(self) -> ResolvedOptions {
        let limits = Limits::default();
        ResolvedOptions {
            durability: self.scalar(|layer| layer.durability).unwrap_or_default(),
            unknown_events: self.scalar(|layer| layer.unknown_events).unwrap_or_default(),
            limits: Limits {
                max_event_bytes: self.scalar(|layer| layer.max_event_bytes).unwrap_or(limits.max_event_bytes),
                max_commit_events: self.scalar(|layer| layer.max_commit_events).unwrap_or(limits.max_commit_events),
            },
            sync: self.scalar(|layer| layer.sync.clone()),
            sync_id: self.scalar(|layer| layer.sync_id),
            wire_id: None,
            initial_sync: self.scalar(|layer| layer.initial_sync).unwrap_or_default(),
            on_backend_change: self.scalar(|layer| layer.on_backend_change).unwrap_or_default(),
            sync_payload: self.merged(|layer| layer.sync_payload.clone(), Payload::merge),
            attributes: self.merged(|layer| layer.attributes.clone(), Attributes::merge),
        }
    }

    fn scalar<T>(self, get: impl Fn(&StoreOptions) -> Option<T>) -> Option<T> {
        get(self.call).or_else(|| get(self.definition)).or_else(|| get(self.registry))
    }

    fn merged<T: Default>(self, get: impl Fn(&StoreOptions) -> Option<T>, merge: impl Fn(T, T) -> T) -> T {
        [self.registry, self.definition, self.call].into_iter().filter_map(get).fold(T::default(), merge)
    }
}

/// All layers together.
#[derive(Clone, Default)]
pub(crate) struct ResolvedOptions {
    pub(crate) durability: Durability,
    pub(crate) unknown_events: UnknownEvents,
    pub(crate) limits: Limits,
    pub(crate) sync: Option<Arc<dyn SyncBackend>>,
    pub(crate) sync_id: Option<SyncId>,
    /// The id on the wire that is known already.
    pub(crate) wire_id: Option<String>,
    pub(crate) initial_sync: InitialSync,
    pub(crate) on_backend_change: OnBackendChange,
    pub(crate) sync_payload: Payload,
    pub(crate) attributes: Attributes,
}

impl ResolvedOptions {
    /// Whether both say the same: the same backend and functions, and equal values.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let Self { durability, unknown_events, limits, sync, sync_id, wire_id, .. } = self;
        let Self { initial_sync, on_backend_change, sync_payload, attributes, .. } = self;
        let same_backend = match (sync, &other.sync) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (one, two) => one.is_none() && two.is_none(),
        };
        let same_map = match (sync_id, &other.sync_id) {
            (Some(one), Some(two)) => std::ptr::fn_addr_eq(*one, *two),
            (one, two) => one.is_none() && two.is_none(),
        };
        same_backend
            && same_map
            && *durability == other.durability
            && *unknown_events == other.unknown_events
            && *limits == other.limits
            && *wire_id == other.wire_id
            && *initial_sync == other.initial_sync
            && *on_backend_change == other.on_backend_change
            && sync_payload.same(&other.sync_payload)
            && *attributes == other.attributes
    }

    /// The first option of a later call that a store loaded with these cannot take on while it runs. Gc time and payload it can.
    pub(crate) fn conflict(&self, id: &StoreId, call: &StoreOptions) -> Option<&'static str> {
        let differs = |option: Option<bool>| option == Some(false);
        let same_backend = |backend: &Arc<dyn SyncBackend>| {
            self.sync.as_ref().is_some_and(|own| Arc::ptr_eq(own, backend) || own.identity() == backend.identity())
        };
        let same_attributes = |attributes: &Attributes| {
            let merged = self.attributes.clone().merge(attributes.clone());
            merged.iter().eq(self.attributes.iter())
        };
        let checks = [
            ("durability", differs(call.durability.map(|value| value == self.durability))),
            ("unknown_events", differs(call.unknown_events.map(|value| value == self.unknown_events))),
            ("max_event_bytes", differs(call.max_event_bytes.map(|value| value == self.limits.max_event_bytes))),
            ("max_commit_events", differs(call.max_commit_events.map(|value| value == self.limits.max_commit_events))),
            ("sync", differs(call.sync.as_ref().map(same_backend))),
            ("sync_id", differs(call.sync_id.map(|map| map(id) == self.wire_id(id)))),
            ("on_backend_change", differs(call.on_backend_change.map(|value| value == self.on_backend_change))),
            ("initial_sync", differs(call.initial_sync.map(|value| value == self.initial_sync))),
            ("attributes", differs(call.attributes.as_ref().map(same_attributes))),
        ];
        checks.into_iter().find_map(|(option, conflict)| conflict.then_some(option))
    }

    /// The store's id on the wire.
    pub(crate) fn wire_id(&self, id: &StoreId) -> String {
        let mapped = || self.sync_id.map_or_else(|| id.as_str().to_owned(), |map| map(id));
        self.wire_id.clone().unwrap_or_else(mapped)
    }
}
