//! Whether a backend's log is still the one that was confirmed where its id and its head say nothing else: its event at the last number that it had
//! confirmed is asked for once more, and is to be the same.

use std::sync::Arc;

use super::{
    accepted::{confirm, stand},
    exchange::failed,
};
use crate::{
    error::SyncError,
    event::StoredEvent,
    registry::syncing::Syncing,
    seeded,
    sync::{PullPage, Remaining},
};

/// Where a pull begins.
pub(super) struct Start {
    /// The backend has confirmed or accepted all up to this number.
    pub(super) accepted: u64,
    /// What the first page is to begin with, if it is to be compared.
    pub(super) known: Option<StoredEvent>,
}

impl Start {
    /// Behind what was accepted, or where it `compares` with the last confirmed event, if that can be compared.
    pub(super) async fn of(core: &Syncing<'_>, compares: bool) -> Result<Self, SyncError> {
        let known = if compares && can_compare(core) { last_confirmed(core).await? } else { None };
        let accepted = stand(core).accepted;
        // Something may have been accepted meanwhile.
        Ok(Self { accepted, known: known.filter(|known| known.number.global() == accepted) })
    }

    /// The number behind which is pulled.
    pub(super) fn after(&self) -> u64 {
        self.known.as_ref().map_or(self.accepted, |known| known.number.global() - 1)
    }
}

/// Whether a log can be compared. It cannot where the wire keeps no ids, which alone say for sure that an event is another one, or where the
/// backend says itself where it goes on.
pub(super) fn can_compare(core: &Syncing<'_>) -> bool {
    core.synced.backend.supports().event_ids && core.engine.sync.metadata().is_none()
}

/// The last confirmed event, if it is known by its id. What was accepted is confirmed first.
async fn last_confirmed(core: &Syncing<'_>) -> Result<Option<StoredEvent>, SyncError> {
    confirm(core).await?;
    let confirmed = core.engine.confirmed();
    if confirmed == 0 {
        return Ok(None);
    }
    let engine = Arc::clone(&core.engine);
    let read = core.runtime.spawn_blocking(move || engine.synced_event(confirmed)).await;
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
