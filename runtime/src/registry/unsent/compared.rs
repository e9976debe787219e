//! Whether a backend's log is still the one that was confirmed where its id and its head say nothing else: its event at the last number that it had
//! confirmed is asked for once more, and is to be the same.

use std::sync::Arc;

use super::{accepted::stand, exchange::failed};
use crate::{
    error::SyncError,
    event::StoredEvent,
    registry::syncing::Syncing,
    seeded,
    sync::{PullPage, Remaining},
};

/// The last confirmed event. `None` where it cannot be compared: the wire keeps no ids, which alone say for sure that an event is another one,
/// the backend says itself where it goes on, or more is accepted than was noted.
pub(super) async fn last_confirmed(core: &Syncing<'_>) -> Result<Option<StoredEvent>, SyncError> {
    let at = stand(core);
    let cannot = !core.synced.backend.supports().event_ids || core.engine.sync.metadata().is_some();
    if cannot || at.confirmed == 0 || at.accepted > at.confirmed {
        return Ok(None);
    }
    let engine = Arc::clone(&core.engine);
    let read = core.runtime.spawn_blocking(move || engine.synced_event(at.confirmed)).await;
    let event = read.map_err(|panic| failed(core, panic.into_message()))?.map_err(|error| failed(core, error))?;
    Ok(event.filter(|event| event.id.is_some()))
}

/// Takes that event off a page that is to begin with it. It stays to be looked for where the page has none at all, and is not the last one.
///
/// # Errors
/// [`SyncError::BackendRolledBack`]: another event is there, or none.
pub(super) fn compare(core: &Syncing<'_>, own: &mut Option<StoredEvent>, page: &mut PullPage) -> Result<(), SyncError> {
    let Some(known) = own.take() else { return Ok(()) };
    let confirmed = known.number.global();
    let is_other = match page.events.first() {
        Some(first) if first.number.global() == confirmed => {
            let is_other = first.id.is_some() && first.id != known.id;
            page.events.remove(0);
            is_other
        }
        // It begins behind it, or leaves something out, which shows by itself.
        Some(_) => false,
        None if page.remaining == Remaining::Nothing => true,
        None => {
            *own = Some(known);
            false
        }
    };
    match is_other && !seeded::bug("another-past-taken") {
        true => Err(SyncError::BackendRolledBack { store: core.name().clone(), confirmed, head: confirmed - 1 }),
        false => Ok(()),
    }
}
