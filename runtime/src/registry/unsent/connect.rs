//! Trying to reach a backend that is away.

use std::sync::Weak;

use crate::{
    registry::shared::Shared,
    seeded,
    sync::{SyncBackend, processor::Pauses},
};

/// The attempts to connect since there last was a connection for long: a server that is there for a moment only is asked as seldom as one
/// that is away.
#[derive(Default)]
pub(super) struct Attempts {
    any: bool,
    pauses: Pauses,
}

/// Tries to connect until that succeeds, and then waits to be dropped, as the connection changes.
pub(super) async fn connect(registry: &Weak<Shared>, backend: &Weak<dyn SyncBackend>, attempts: &mut Attempts) {
    loop {
        if std::mem::replace(&mut attempts.any, true) && !seeded::bug("connected-without-a-pause") {
            let Some(shared) = registry.upgrade() else { return };
            let pause = shared.runtime.sleep(attempts.pauses.next(shared.runtime.jitter()));
            drop(shared);
            pause.await;
        }
        let Some(live) = backend.upgrade() else { return };
        let Err(error) = live.connect().await else { break };
        tracing::debug!(%error, "a sync backend cannot be reached");
        let Some(shared) = registry.upgrade() else { return };
        shared.not_reached(&live, error);
    }
    std::future::pending::<()>().await;
}
