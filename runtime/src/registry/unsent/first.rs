//! The first sync of a load that waits for it.

use std::{sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{Either, select},
};

use super::exchange::{is_final, mend, pull_once};
use crate::{
    options::InitialSync,
    registry::{kind::AnyLoaded, shared::Shared},
    store::LoadProgress,
    sync::{
        SyncPhase,
        processor::{Pauses, Processor},
    },
};

/// Takes over all that the backend has, as far as the options want that and the time allows. What fails is tried again in the background.
pub(in crate::registry) async fn first_sync(
    shared: &Arc<Shared>,
    loaded: &Arc<dyn AnyLoaded>,
    wanted: InitialSync,
    progress: impl Fn(LoadProgress) + Send + Sync,
) {
    let InitialSync::Blocking { timeout } = wanted else { return };
    if loaded.core().backend().is_none() {
        return;
    }
    // So that somebody connects.
    shared.watch_backend(loaded);
    let caught_up = std::pin::pin!(catch_up(shared, loaded, progress));
    if let Either::Right(_) = select(caught_up, shared.runtime.sleep(timeout)).await {
        let name = loaded.core().name();
        tracing::warn!(store = %name, seconds = timeout.as_secs(), "the first sync took too long, the load goes on without");
    }
    // Whoever says that the connection went may have said so before the last page came.
    if !loaded.core().is_connected() {
        loaded.core().engine.note_sync(|notes| notes.phase(SyncPhase::Offline));
    }
}

async fn catch_up(shared: &Arc<Shared>, loaded: &Arc<dyn AnyLoaded>, progress: impl Fn(LoadProgress) + Send + Sync) {
    let Some(core) = loaded.core().syncing() else { return };
    let (core, backend) = (&core, &core.synced.backend);
    let mut pauses = Pauses::default();
    loop {
        // What changes after these futures were made is seen by looking once more.
        let changed = select(backend.connection_changed(), Box::pin(shared.network.switched()));
        if shared.network.is_offline() || !backend.connected() {
            changed.await;
            continue;
        }
        // What was said before is told now.
        let _ = core.synced.told.replaced().now_or_never();
        let mut processor = Processor::behind();
        let pulling = pull_once(core, &mut processor, None, |done, total| progress(LoadProgress { done, total }));
        // Off the network, what is on its way is dropped; so it is when the backend is to be told something else.
        let anew = select(Box::pin(shared.network.switched()), Box::pin(core.synced.told.replaced()));
        let Either::Left((pulled, _)) = select(std::pin::pin!(pulling), anew).await else { continue };
        let Err(error) = pulled else { return };
        if let Err(error) = mend(core, error).await {
            if is_final(&error) {
                // Who keeps the store in sync hears it again.
                return;
            }
            tracing::debug!(store = %core.name(), %error, "the first sync failed");
        }
        let pause: Duration = pauses.next(shared.runtime.jitter());
        // What the backend refused to somebody else may be permitted now.
        select(shared.runtime.sleep(pause), std::pin::pin!(core.synced.told.replaced())).await;
    }
}
