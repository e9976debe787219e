//! Sending what one open store has not sent.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::future::select;

use super::{
    accepted::{confirm, since, stand},
    compared::can_compare,
    exchange::{in_time, mend, pull_once, push},
};
use crate::{
    error::SyncError,
    registry::{kind::AnyLoaded, shared::Shared, syncing::Syncing},
    sync::processor::{Next, Pauses, Processor},
};

/// How long a push or a page of a store may take that is open only to be sent: it holds one of the few places that all backends share, and what takes
/// longer is one that hangs. Over a slow network a full push takes two minutes, and longer behind others.
pub(super) const LONGEST_STEP: Duration = Duration::from_secs(300);

/// Sends all that a store has not sent, however often that takes, while it is connected; whether all is sent.
pub(super) async fn send_until_sent(registry: &Weak<Shared>, loaded: &Arc<dyn AnyLoaded>) -> bool {
    let mut pauses = Pauses::default();
    while let Err(error) = send_all(loaded, true, None).await {
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

/// Sends all that a store has not sent, each push and each page in the time that is given: pushes, and where the backend is ahead pulls first.
/// Where nobody has looked since there is a connection it `compares`, too. One step at a time, whoever does it: each begins with where the
/// log stands then. With a time, a log that is another one is begun anew with, or taken, as the options say: once, so that a backend which is
/// another one each time is not asked without a pause.
pub(super) async fn send_all(
    loaded: &Arc<dyn AnyLoaded>,
    compares: bool,
    longest: Option<Duration>,
) -> Result<(), SyncError> {
    let mut may_mend = longest.is_some();
    let Some(core) = loaded.core().syncing() else { return Ok(()) };
    let core = &core;
    // Of a new store there is nothing to compare.
    let looks = compares && core.engine.confirmed() > 0 && can_compare(core);
    let mut processor = if looks { Processor::behind() } else { Processor::hopeful() };
    loop {
        let _one = core.synced.sending.lock().await;
        let more = match step(core, &mut processor, longest).await {
            Ok(more) => more,
            Err(error) if std::mem::take(&mut may_mend) => {
                mend(core, error).await?;
                true
            }
            Err(error) => return Err(error),
        };
        core.signals.changed();
        if !more {
            return Ok(());
        }
    }
}

/// One push or pull, or the confirming of what was pushed; `false` when nothing is unsent.
async fn step(core: &Syncing<'_>, processor: &mut Processor, longest: Option<Duration>) -> Result<bool, SyncError> {
    match processor.next(stand(core), since(core)) {
        Next::Wait => return Ok(false),
        Next::Confirm => confirm(core).await?,
        Next::Gather(pause) => core.runtime.sleep(pause).await,
        Next::Push => in_time(core, longest, push(core, processor)).await??,
        Next::Pull => pull_once(core, processor, longest, |_, _| {}).await?,
    }
    Ok(true)
}
