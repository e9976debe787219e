//! Sending what one open store has not sent.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::future::{Either, select};

use super::{
    accepted::{confirm, since, stand},
    exchange::{failed, mend, pull_once, push},
};
use crate::{
    error::SyncError,
    registry::{kind::AnyLoaded, shared::Shared, syncing::Syncing},
    sync::processor::{Next, Pauses, Processor},
};

/// How long one step of a store that is open only to be sent may take: it holds one of the few places that all backends share, and a
/// step that takes longer than a minute is one that hangs.
pub(super) const LONGEST_PUSH: Duration = Duration::from_secs(60);

/// Sends all that a store has not sent, however often that takes, while it is connected; whether all is sent.
pub(super) async fn send_until_sent(registry: &Weak<Shared>, loaded: &Arc<dyn AnyLoaded>) -> bool {
    let mut pauses = Pauses::default();
    while let Err(error) = send_all(loaded, None).await {
        let Some(shared) = registry.upgrade() else { return false };
        if !loaded.core().has_to_send() {
            return false;
        }
        tracing::debug!(store = %loaded.core().name(), %error, "a push failed");
        let pause = shared.runtime.sleep(pauses.next(shared.runtime.jitter()));
        drop(shared);
        pause.await;
    }
    true
}

/// Sends all that a store has not sent, however often that takes, and waits for a connection where there is none. A store whose sync has
/// stopped sends nothing more until it is loaded again.
pub(in crate::registry) async fn send_with_patience(registry: &Weak<Shared>, loaded: &Arc<dyn AnyLoaded>) {
    let core = loaded.core();
    let Some(backend) = core.backend() else { return };
    while core.engine.unsent_events() > 0 && !core.engine.sync.is_stopped() && registry.strong_count() > 0 {
        // What changed before these futures were made is seen by looking once more.
        let changed = select(backend.connection_changed(), Box::pin(core.network.switched()));
        if core.network.is_offline() || !backend.connected() {
            changed.await;
            continue;
        }
        // Off the network, what is on its way is dropped.
        select(Box::pin(send_until_sent(registry, loaded)), Box::pin(core.network.switched())).await;
    }
}

/// Sends all that a store has not sent, each step in the time that is given: pushes, and where the backend is ahead pulls first. One step at a
/// time, whoever does it: each begins with where the log stands then.
pub(super) async fn send_all(loaded: &Arc<dyn AnyLoaded>, longest: Option<Duration>) -> Result<(), SyncError> {
    let Some(core) = loaded.core().syncing() else { return Ok(()) };
    let core = &core;
    let mut processor = Processor::hopeful();
    loop {
        let _one = core.synced.sending.lock().await;
        let step = std::pin::pin!(step(core, &mut processor));
        let more = match longest {
            None => step.await?,
            Some(longest) => match select(step, core.runtime.sleep(longest)).await {
                Either::Left((Ok(more), _)) => more,
                Either::Left((Err(error), _)) => {
                    mend(core, error).await?;
                    true
                }
                Either::Right(_) => {
                    return Err(failed(core, format!("a push took longer than {} s", longest.as_secs())));
                }
            },
        };
        core.signals.changed();
        if !more {
            return Ok(());
        }
    }
}

/// One push or pull, or the confirming of what was pushed; `false` when nothing is unsent.
async fn step(core: &Syncing<'_>, processor: &mut Processor) -> Result<bool, SyncError> {
    match processor.next(stand(core), since(core)) {
        Next::Wait => return Ok(false),
        Next::Confirm => confirm(core).await?,
        Next::Gather(pause) => core.runtime.sleep(pause).await,
        Next::Push => push(core, processor).await?,
        Next::Pull => pull_once(core, processor, |_, _| {}).await?,
    }
    Ok(true)
}
