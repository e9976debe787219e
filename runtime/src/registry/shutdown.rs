//! `shutdown`: every store sends what it can and is closed, children before parents.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{Arc, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{Either, join, join_all, select},
};
use tokio_util::sync::CancellationToken;

use super::{
    entry::Phase,
    evict::Evict,
    handle::{Hold, LoadRef},
    kind::AnyLoaded,
    shared::Shared,
    state::Reason,
    unsent::send_with_patience,
};
use crate::{
    clock::{Panicked, Tick},
    error::StoreError,
    options::GcTime,
    primitives::Mutex,
    store::StoreName,
    telemetry,
};

/// How long files may take to be closed after the deadline, which is meant for what stores send.
const GRACE: Duration = Duration::from_secs(1);

/// How a registry's stores ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Every store that was loading, loaded or closing, in the order in which they were closed.
    pub stores: Vec<StoreShutdown>,
}

/// How one store ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreShutdown {
    /// Which store.
    pub name: StoreName,
    /// How it ended.
    pub ended: StoreEnd,
    /// Events that its backend does not have. They are safe on disk and are sent after the next start. 0 without a backend; `None` when it is
    /// not known, of a store that was loading or closing and was not closed in time.
    pub unsent: Option<u64>,
}

/// How a store ended at a shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreEnd {
    /// It was closed.
    Closed,
    /// Its load was cancelled.
    Cancelled,
    /// It could not be closed cleanly. Nothing that was committed is lost.
    Failed(StoreError),
    /// It was not closed a second after the deadline. Closing goes on in the background.
    Unfinished,
}

impl ShutdownReport {
    /// Whether every store was closed, or was still loading.
    pub fn is_clean(&self) -> bool {
        self.stores.iter().all(|store| matches!(store.ended, StoreEnd::Closed | StoreEnd::Cancelled))
    }

    /// Events that backends do not have, of all stores of which it is known.
    pub fn unsent(&self) -> u64 {
        self.stores.iter().filter_map(|store| store.unsent).sum()
    }
}

/// A store that is to be closed, with what it got through its `LoadContext`.
struct Open {
    loaded: Arc<dyn AnyLoaded>,
    /// It stays loaded until it is closed here, whatever its clock says.
    hold: Option<Hold>,
    children: Vec<LoadRef>,
}

/// What a shutdown finds.
struct Found {
    open: Vec<Open>,
    /// Loads, and stores that close already.
    ending: Vec<(StoreName, StoreEnd, Evict)>,
}

impl Shared {
    /// No new loads from now on; the loading ones are cancelled.
    pub(super) fn begin_shutdown(
        self: &Arc<Self>,
        deadline: Duration,
    ) -> impl Future<Output = ShutdownReport> + Send + use<> {
        let started = self.runtime.now();
        let found = self.with(|state, actions| {
            state.shut_down = true;
            let mut found = Found { open: Vec::new(), ending: Vec::new() };
            for at in state.slots.all() {
                let Some(slot) = state.slots.get(at) else { continue };
                let name = slot.name.clone();
                if let Some(loaded) = slot.loaded.clone() {
                    let children = slot.children.clone();
                    let hold = state.join(at, Some(GcTime::ZERO), false).and_then(Result::ok).map(Hold::counted);
                    found.open.push(Open { loaded, hold, children });
                    continue;
                }
                let ended = if slot.entry.phase() == Phase::Closing { StoreEnd::Closed } else { StoreEnd::Cancelled };
                let closing = state.evict(at, &Reason::Shutdown, actions);
                found.ending.push((name, ended, Evict::new(closing)));
            }
            found
        });
        self.followers.over();
        let span = telemetry::shutdown(found.open.len() + found.ending.len());
        let shared = Arc::clone(self);
        async move {
            let report = found.finish(&shared, started.after(deadline)).await;
            shared.unsent.stop();
            // Whoever closes still notes there what is unsent. Else the data dir is as it will be for whoever comes next.
            if !report.stores.iter().any(|store| store.ended == StoreEnd::Unfinished)
                && let Some(closing) = shared.close_catalog()
            {
                let _ = closing.await;
            }
            shared.signals.changed();
            span.record("unsent", report.unsent());
            telemetry::record_micros(&span, shared.runtime.now().since(started));
            report
        }
    }
}

impl Found {
    async fn finish(self, shared: &Arc<Shared>, deadline: Tick) -> ShutdownReport {
        let ending = self.ending.into_iter().map(async |(name, ended, closing)| {
            let ended = wait_closed(shared, ended, closing, deadline).await;
            let unsent = noted_unsent(shared, name.clone()).await;
            StoreShutdown { name, ended, unsent }
        });
        let ended = Mutex::new(Vec::new());
        let note = |store: StoreShutdown| ended.lock().unwrap_or_else(PoisonError::into_inner).push(store);
        let ending = join_all(ending.map(async |store| note(store.await)));
        let family = &Family::of(&self.open);
        let open = self.open.into_iter().enumerate();
        let open = open.map(async |(at, open)| {
            push(shared, &open.loaded, deadline).await;
            family.children_closed(at).await;
            note(close_one(shared, open.loaded, deadline).await);
            drop(open.hold);
            family.closed[at].cancel();
        });
        join(ending, join_all(open)).await;
        ShutdownReport { stores: ended.into_inner().unwrap_or_else(PoisonError::into_inner) }
    }
}

/// Sends what a store has not sent, until the deadline. The backend is the app's code: if it panics, the store is closed all the same.
async fn push(shared: &Arc<Shared>, loaded: &Arc<dyn AnyLoaded>, deadline: Tick) {
    let registry = Arc::downgrade(shared);
    let sending = AssertUnwindSafe(send_with_patience(&registry, loaded)).catch_unwind();
    if let Either::Left((Err(panic), _)) = select(std::pin::pin!(sending), shared.runtime.sleep_until(deadline)).await {
        let message = Panicked::new(panic.as_ref()).into_message();
        tracing::warn!(store = %loaded.core().name(), message, "a sync backend panicked");
    }
}

async fn close_one(shared: &Arc<Shared>, loaded: Arc<dyn AnyLoaded>, deadline: Tick) -> StoreShutdown {
    let name = loaded.core().name().clone();
    let load = loaded.core().load;
    let closing = shared.with(|state, actions| {
        state.slots.of(load)?;
        state.evict(load.slot, &Reason::Shutdown, actions)
    });
    let ended = wait_closed(shared, StoreEnd::Closed, Evict::new(closing), deadline).await;
    StoreShutdown { name, ended, unsent: Some(loaded.core().engine.unsent_events()) }
}

/// What the catalog says of a store that was closing already; of one that was never made there is nothing.
async fn noted_unsent(shared: &Arc<Shared>, name: StoreName) -> Option<u64> {
    let reading = Arc::clone(shared);
    let read = move || reading.catalog.get(name.definition(), name.id());
    match shared.runtime.spawn_blocking(read).await {
        Ok(Ok(Some(entry))) => entry.unsent,
        Ok(Ok(None)) => Some(0),
        _ => None,
    }
}

async fn wait_closed(shared: &Shared, ended: StoreEnd, closing: Evict, deadline: Tick) -> StoreEnd {
    match select(closing, shared.runtime.sleep_until(deadline.after(GRACE))).await {
        Either::Left((Ok(()), _)) => ended,
        Either::Left((Err(error), _)) => StoreEnd::Failed(error),
        Either::Right(_) => StoreEnd::Unfinished,
    }
}

/// Which stores wait for which at a shutdown. A circle, which only gets after a load can make, is cut somewhere.
struct Family {
    children: Vec<Vec<usize>>,
    /// Cancelled when the store is closed.
    closed: Vec<CancellationToken>,
}

impl Family {
    fn of(open: &[Open]) -> Self {
        let place: HashMap<LoadRef, usize> =
            open.iter().enumerate().map(|(at, open)| (open.loaded.core().load, at)).collect();
        let places = |open: &Open| open.children.iter().filter_map(|child| place.get(child).copied()).collect();
        let mut children: Vec<Vec<usize>> = open.iter().map(places).collect();
        let mut heights = vec![None; open.len()];
        for at in 0..open.len() {
            height(at, &children, &mut heights);
        }
        for (at, children) in children.iter_mut().enumerate() {
            children.retain(|child| heights[*child] < heights[at]);
        }
        Self { children, closed: open.iter().map(|_| CancellationToken::new()).collect() }
    }

    async fn children_closed(&self, at: usize) {
        for child in &self.children[at] {
            self.closed[*child].cancelled().await;
        }
    }
}

/// How far a store is from its deepest child, without recursion: a chain of stores may be long.
fn height(root: usize, children: &[Vec<usize>], heights: &mut [Option<usize>]) {
    let mut on_path = HashSet::new();
    let mut path = vec![root];
    while let Some(at) = path.last().copied() {
        if heights[at].is_some() {
            path.pop();
            continue;
        }
        on_path.insert(at);
        let next = children[at].iter().copied().find(|child| heights[*child].is_none() && !on_path.contains(child));
        if let Some(next) = next {
            path.push(next);
            continue;
        }
        let below = children[at].iter().filter_map(|child| heights[*child]).max();
        heights[at] = Some(below.map_or(0, |below| below + 1));
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_higher_than_its_children_and_a_circle_ends() {
        let children = [vec![1, 2], vec![2], vec![], vec![4], vec![3]];
        let mut heights = vec![None; 5];
        for at in 0..5 {
            height(at, &children, &mut heights);
        }
        assert_eq!(heights[..3], [Some(2), Some(1), Some(0)]);
        assert!(heights[3].is_some() && heights[4].is_some());
    }
}
