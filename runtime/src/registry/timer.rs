//! The one timer task of a registry. It holds no registry and no store while it sleeps.

use std::sync::{Arc, Weak};

use futures_util::future::{Either, select};
use tokio::sync::Notify;

use super::{kind::AnyLoaded, shared::Shared};
use crate::{clock::Tick, seeded, store::Maintained};

pub(super) async fn run(registry: Weak<Shared>, notify: Arc<Notify>) {
    loop {
        let Some(shared) = registry.upgrade() else { return };
        shared.tick();
        let next = shared.lock().timers.next().unwrap_or(Tick::NEVER);
        let sleep = shared.runtime.sleep_until(next);
        let _held = seeded::bug("timer-holds-registry").then(|| Arc::clone(&shared));
        let _stores = seeded::bug("timer-holds-store").then(|| shared.loaded());
        drop(shared);
        let woken = std::pin::pin!(notify.notified());
        match select(sleep, woken).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }
}

impl Shared {
    /// Every loaded store.
    fn loaded(&self) -> Vec<Arc<dyn AnyLoaded>> {
        self.lock().slots.iter().filter_map(|(_, slot)| slot.loaded.clone()).collect()
    }

    fn tick(self: &Arc<Self>) {
        let now = self.runtime.now();
        let quiet = self.with(|state, actions| state.tick(now, actions));
        if quiet.is_empty() {
            return;
        }
        let registry = Arc::downgrade(self);
        let work = move || {
            let busy: Vec<_> = quiet.into_iter().filter(still_busy).collect();
            if let Some(shared) = registry.upgrade() {
                busy.iter().for_each(|loaded| shared.busy(loaded.core().load));
            }
        };
        // Nobody waits for it.
        drop(self.runtime.spawn_blocking(work));
    }
}

fn still_busy(loaded: &Arc<dyn AnyLoaded>) -> bool {
    loaded.core().engine.maintain() == Maintained::StillBusy
}
