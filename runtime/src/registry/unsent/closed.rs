//! Opening stores that were closed with unsent events, to send these.

use std::sync::{Arc, Weak};

use futures_util::stream::{self, StreamExt};
use tokio::sync::Notify;

use crate::{
    error::{BoxError, LoadError, OpenFilesLimit, SyncError},
    id::StoreId,
    options::{GcTime, StoreOptions},
    registry::{
        entry::Phase,
        evict::Evict,
        get::Wait,
        handle::Hold,
        kind::{AnyLoaded, Kind},
        shared::{Call, Shared, Wire},
        state::Reason,
    },
    sync::SyncBackend,
};

use super::{
    OPENED_TO_SEND,
    push::{LONGEST_STEP, send_all},
};

/// A closed store that may have something for a backend.
struct Closed {
    kind: &'static Kind,
    id: StoreId,
    wire: Wire,
}

/// Opens the closed stores that have unsent events for a backend, or may have, a few at a time; whether nothing is left to be tried again.
/// `again` is told when one is closed that somebody had open.
pub(super) async fn send(registry: &Weak<Shared>, backend: &Weak<dyn SyncBackend>, again: &Arc<Notify>) -> bool {
    let closed = match find(registry, backend).await {
        Ok(closed) => closed,
        Err(error) => {
            tracing::warn!(%error, "the catalog does not say which stores have unsent events");
            return false;
        }
    };
    let sending = closed.into_iter().map(|closed| send_one(registry, closed, again));
    stream::iter(sending).buffer_unordered(OPENED_TO_SEND).fold(true, async |all, sent| all && sent).await
}

/// The closed stores of all definitions that were opened with this backend, or with none and would be now.
async fn find(registry: &Weak<Shared>, backend: &Weak<dyn SyncBackend>) -> Result<Vec<Closed>, BoxError> {
    let (Some(shared), Some(backend)) = (registry.upgrade(), backend.upgrade()) else { return Ok(Vec::new()) };
    if shared.layout.is_none() {
        return Ok(Vec::new());
    }
    let kinds = shared.unsent.kinds();
    let (reading, identity) = (Arc::clone(&shared), backend.identity().to_owned());
    let read = shared.runtime.spawn_blocking(move || {
        let of = |kind: &'static Kind| reading.catalog.unsent(kind.name, &identity).map(|found| (kind, found));
        kinds.into_iter().map(of).collect::<Result<Vec<_>, _>>()
    });
    let found = read.await.map_err(|panic| panic.into_message())?.map_err(|error| error.to_string())?;
    let mut closed = Vec::new();
    for (kind, found) in found.into_iter().filter(|(_, found)| !found.is_empty()) {
        // The definition's code, so it is asked once, and under no lock.
        let own = shared.plan(kind, &Call::default(), &shared.defaults()).resolved;
        let is_own = own.sync.as_ref().is_some_and(|own| Arc::ptr_eq(own, &backend));
        closed.extend(found.into_iter().filter_map(|found| {
            let sync_id = found.sync_id.or_else(|| is_own.then(|| own.wire_id(&found.id)))?;
            Some(Closed { kind, id: found.id, wire: Wire { backend: Arc::clone(&backend), sync_id } })
        }));
    }
    Ok(closed)
}

/// Opens one closed store without `on_load`, sends, and closes it; `false` when it is to be tried again.
async fn send_one(registry: &Weak<Shared>, closed: Closed, again: &Arc<Notify>) -> bool {
    let Some(shared) = registry.upgrade() else { return true };
    let Ok(_permit) = Arc::clone(&shared.unsent.opened).acquire_owned().await else { return true };
    let Closed { kind, id, wire } = closed;
    if is_open(&shared, kind, &id, again) || shared.unsent.is_over() {
        return true;
    }
    let mut wait = Wait::new(&shared, None, kind, Ok(id));
    *wait.call() = Call {
        options: StoreOptions::new().gc_time(GcTime::ZERO),
        without_on_load: true,
        existing: true,
        wire: Some(wire),
        ..Call::default()
    };
    drop(shared);
    match std::future::poll_fn(|context| wait.poll(context)).await {
        Ok(loaded) => send_opened(registry, loaded).await,
        Err(LoadError::NotFound { store, .. }) => {
            forget(registry, store.id().clone(), kind).await;
            true
        }
        Err(LoadError::ShutDown { .. }) => true,
        // Somebody else wants the store, and opens it, or its place: that is seen when it is tried again.
        Err(LoadError::Cancelled { .. }) => false,
        Err(error @ LoadError::TooManyOpenFiles { limit: OpenFilesLimit::Capacity { .. }, .. }) => {
            tracing::debug!(%error, "a store with unsent events waits for a place");
            false
        }
        Err(error) => {
            tracing::warn!(%error, "a store with unsent events cannot be opened");
            false
        }
    }
}

/// Whether somebody has the store open, or wants to: sending is left to them. It may come to nothing, where a load fails or never begins, or a
/// store is open without its backend, so it is looked at again when they are done with it. One that is open with a backend says itself what
/// it leaves unsent.
fn is_open(shared: &Shared, kind: &'static Kind, id: &StoreId, again: &Arc<Notify>) -> bool {
    let mut state = shared.lock();
    let slot = state.slots.find(kind.type_id, id).and_then(|at| state.slots.get_mut(at));
    let Some(slot) = slot.filter(|slot| slot.entry.phase() != Phase::Closing || slot.entry.waiters() > 0) else {
        return false;
    };
    if slot.loaded.as_ref().is_none_or(|loaded| loaded.core().backend().is_none()) {
        slot.leave_to_it(again);
    }
    true
}

async fn send_opened(registry: &Weak<Shared>, loaded: Arc<dyn AnyLoaded>) -> bool {
    let hold = Hold::counted(Arc::clone(&loaded));
    let sent: Result<(), SyncError> = send_all(&loaded, true, Some(LONGEST_STEP)).await;
    if let Err(error) = &sent {
        tracing::debug!(store = %loaded.core().name(), %error, "unsent events stay unsent");
    }
    if let Some(shared) = registry.upgrade() {
        let load = loaded.core().load;
        let closing = shared.with(|state, actions| {
            let is_hidden = state.slots.of(load).is_some_and(|slot| slot.hidden && slot.loaded.is_some());
            if is_hidden { state.evict(load.slot, &Reason::Gc, actions) } else { None }
        });
        drop((shared, loaded));
        // An error was logged where it happened; the place is free when the file is closed.
        let _ = Evict::new(closing).await;
    }
    drop(hold);
    sent.is_ok()
}

/// A store that is not there any more has nothing to send.
async fn forget(registry: &Weak<Shared>, id: StoreId, kind: &'static Kind) {
    let Some(shared) = registry.upgrade() else { return };
    let noting = Arc::clone(&shared);
    let noted = shared.runtime.spawn_blocking(move || noting.catalog.set_unsent(kind.name, &id, Some(0))).await;
    if let Ok(Err(error)) = noted {
        tracing::warn!(%error, "that a store is gone was not noted");
    }
}
