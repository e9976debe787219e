//! Closing a loaded store: calls are refused at once, the file is closed on the blocking pool.

use std::sync::Arc;

use tracing::Span;

use super::{
    handle::{Core, LoadRef},
    kind::AnyLoaded,
    shared::Shared,
    state::Reason,
};
use crate::{
    clock::{self, Tick},
    error::StoreError,
    seeded,
    storage::sqlite::SqliteError,
    store::inside_any,
    telemetry::{self, Happened},
};

/// Closes a store in the background. It answers no call from now on.
pub(super) fn close(shared: &Arc<Shared>, load: LoadRef, loaded: Arc<dyn AnyLoaded>, reason: &Reason) {
    let name = loaded.core().name().clone();
    let span = telemetry::evict(&name, reason.as_str());
    loaded.core().engine.stop_accepting(reason.error(name.clone()));
    shared.happened(|| Happened::Evicted(name, reason.as_str()));
    let started = shared.runtime.now();
    // A store that was open only to be sent is tried again by who opened it.
    let is_hidden = shared.lock().slots.of(load).is_some_and(|slot| slot.hidden);
    let sends_rest = !is_hidden && !matches!(reason, Reason::Stopped(_) | Reason::Shutdown);
    // Closing waits for what a call that finds damage holds, and for the read or commit that the app's code runs in.
    let is_held_here = matches!(reason, Reason::Stopped(_)) || inside_any();
    let if_refused = if is_held_here { Refused::OnAThread } else { Refused::Here };
    let loaded = Some(loaded);
    let closing = Closing { shared: Arc::clone(shared), load, loaded, span, started, sends_rest, if_refused };
    // Nobody waits for it here: its end is said through the slot.
    drop(shared.runtime.spawn_blocking(move || closing.run()));
}

/// A store that is being closed: on the blocking pool, and without it where the runtime is gone and drops the work that it is given.
struct Closing {
    shared: Arc<Shared>,
    load: LoadRef,
    loaded: Option<Arc<dyn AnyLoaded>>,
    span: Span,
    started: Tick,
    /// What stays unsent is sent when the file is closed.
    sends_rest: bool,
    if_refused: Refused,
}

/// Where a store is closed that the blocking pool does not take.
enum Refused {
    Here,
    OnAThread,
}

/// Says that a closing has ended, also when it panicked: who waits for it waits for the file, not for what the app's code did.
struct Ended<'a> {
    shared: &'a Arc<Shared>,
    load: LoadRef,
    closed: Result<(), StoreError>,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let closed = std::mem::replace(&mut self.closed, Ok(()));
        self.shared.with(|state, actions| state.ended(self.load, None, closed, actions));
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let Some(loaded) = self.loaded.take() else { return };
        match self.if_refused {
            Refused::Here => self.close(loaded),
            Refused::OnAThread => {
                let (shared, span) = (Arc::clone(&self.shared), std::mem::replace(&mut self.span, Span::none()));
                let (loaded, if_refused) = (Some(loaded), Refused::Here);
                let closing = Self { shared, load: self.load, loaded, span, if_refused, ..*self };
                clock::on_a_thread(move || closing.run());
            }
        }
    }
}

impl Closing {
    fn run(mut self) {
        self.loaded.take().into_iter().for_each(|loaded| self.close(loaded));
    }

    fn close(&self, loaded: Arc<dyn AnyLoaded>) {
        let mut ended = Ended { shared: &self.shared, load: self.load, closed: Ok(()) };
        if seeded::bug("reopened-before-closed") {
            self.shared.with(|state, actions| state.ended(self.load, None, Ok(()), actions));
        }
        ended.closed = self.span.in_scope(|| close_file(&self.shared, &loaded));
        let children = loaded.core().take_kept();
        telemetry::record_micros(&self.span, self.shared.runtime.now().since(self.started));
        let name = loaded.core().name().clone();
        let unsent = loaded.core().backend().filter(|_| self.sends_rest && loaded.core().engine.unsent_events() > 0);
        let unsent = unsent.cloned();
        drop(loaded);
        let in_memory = is_in_memory(&self.shared, self.load);
        let gone = in_memory.then(|| name.clone());
        self.shared.happened(|| Happened::Closed(name));
        // Before the closing has ended, so that who waits for that finds it said.
        unsent.inspect(|backend| self.shared.closed_unsent(backend));
        drop(ended);
        // A file says the same when it is closed; memory is gone.
        gone.inspect(|name| self.shared.followers.changed(name));
        drop(children);
    }
}

fn is_in_memory(shared: &Shared, load: LoadRef) -> bool {
    shared.lock().slots.of(load).is_some_and(|slot| slot.plan.in_memory)
}

/// Closes the file and notes what stays unsent.
pub(super) fn close_file(shared: &Shared, loaded: &Arc<dyn AnyLoaded>) -> Result<(), StoreError> {
    let core = loaded.core();
    let closed = core.engine.close();
    if let Err(error) = note_unsent(shared, core) {
        let name = core.name();
        // It stays noted as not known, which is safe: the next start looks.
        tracing::warn!(store = name.definition(), id = name.id().as_str(), %error, "unsent events were not noted");
    }
    closed
}

/// Notes what stays unsent: what the backend that the store has does not have, or the one that it had when it was opened with one.
fn note_unsent(shared: &Shared, core: &Core) -> Result<(), SqliteError> {
    if seeded::bug("unsent-forgotten") || is_in_memory(shared, core.load) {
        return Ok(());
    }
    let (definition, id) = (core.name().definition(), core.name().id());
    if core.backend().is_some() || shared.catalog.had_backend(definition, id)? {
        shared.catalog.set_unsent(definition, id, Some(core.engine.unconfirmed()))?;
    }
    Ok(())
}
