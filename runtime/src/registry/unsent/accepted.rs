//! What a store's backend has accepted and the store has not noted as confirmed: whoever pushes knows it, and whoever pulls meanwhile.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::exchange::{failed, merge_failed};
use crate::{
    clock::Tick,
    error::SyncError,
    event::StoredEvent,
    primitives::{Mutex, MutexGuard},
    registry::syncing::Syncing,
    sync::processor::{Accepted, Since, Stand},
};

/// How far the sending of a store is.
#[derive(Debug, Default)]
pub(in crate::registry) struct Sent {
    state: Mutex<State>,
    /// A pull has brought something. A commit wakes nobody here.
    merged: Notify,
}

#[derive(Debug, Default)]
struct State {
    accepted: Option<Accepted>,
    /// When something was last confirmed.
    confirmed_at: Option<Tick>,
    /// When the last push began.
    pushed_at: Option<Tick>,
}

impl Sent {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn accepted(&self) -> Option<Accepted> {
        self.lock().accepted.clone()
    }

    /// All up to a number is accepted, or nothing is known.
    pub(super) fn accept(&self, accepted: Option<Accepted>) {
        self.lock().accepted = accepted;
    }

    /// A pull has brought something.
    pub(super) fn merged(&self) {
        self.merged.notify_waiters();
    }
}

/// Where the store's log stands.
pub(super) fn stand(core: &Syncing<'_>) -> Stand {
    core.engine.stand(core.synced.sent.lock().accepted.as_ref())
}

/// Resolves when a pull has brought all up to a number, or has moved pending events since they were moved so often.
pub(super) async fn come_back(core: &Syncing<'_>, last: u64, rebases: u64) {
    loop {
        // Before the look, so that nothing is missed in between.
        let merged = core.synced.sent.merged.notified();
        if core.engine.confirmed() >= last || core.engine.rebases() != rebases {
            return;
        }
        merged.await;
    }
}

/// How long ago something last happened.
pub(super) fn since(core: &Syncing<'_>) -> Since {
    let (now, state) = (core.runtime.now(), core.synced.sent.lock());
    let ago = |at: Option<Tick>| at.map_or(Duration::MAX, |at| now.since(at));
    Since { push: ago(state.pushed_at), confirm: ago(state.confirmed_at) }
}

/// A push begins.
pub(super) fn begin_push(core: &Syncing<'_>) {
    core.synced.sent.lock().pushed_at = Some(core.runtime.now());
}

/// Whether all of a page was accepted when it was pushed, and needs no look.
pub(super) fn is_accepted(core: &Syncing<'_>, page: &[StoredEvent], backend_id: &str) -> bool {
    let of_this_log =
        core.synced.sent.lock().accepted.as_ref().is_some_and(|accepted| accepted.backend_id == backend_id);
    let accepted = stand(core).accepted;
    of_this_log && page.last().is_some_and(|last| last.number.global() <= accepted)
}

/// Notes that what was accepted is confirmed.
pub(super) async fn confirm(core: &Syncing<'_>) -> Result<(), SyncError> {
    let Some(accepted) = core.synced.sent.accepted() else { return Ok(()) };
    let (engine, known) = (Arc::clone(&core.engine), accepted.clone());
    let confirmed = core.runtime.spawn_blocking(move || engine.confirm(&known)).await;
    let confirmed = confirmed.map_err(|panic| failed(core, panic.into_message()))?;
    let holds = confirmed.map_err(|error| merge_failed(core, error))?;
    let mut state = core.synced.sent.lock();
    state.confirmed_at = Some(core.runtime.now());
    // More may have been accepted meanwhile.
    if !holds && state.accepted.as_ref() == Some(&accepted) {
        state.accepted = None;
    }
    Ok(())
}
