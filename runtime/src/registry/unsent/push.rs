//! Sending what one open store has not sent.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{Either, select},
};

use crate::{
    clock::Panicked,
    error::BoxError,
    registry::{kind::AnyLoaded, shared::Shared},
    sync::{PushRequest, SyncBackend},
};

/// Events of one push.
const BATCH: usize = 100;
/// Between two tries of a push that failed while the backend says that it is connected.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long one push of a store that is open only to be sent may take: it holds one of the few places that all backends share, and a
/// batch that takes longer than a minute is one that hangs.
pub(super) const LONGEST_PUSH: Duration = Duration::from_secs(60);

/// The pauses between tries: each twice as long as the one before, up to the longest.
pub(super) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pauses {
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// Sends all that a store has not sent, however often that takes, while it is connected; whether all is sent.
pub(super) async fn send_until_sent(registry: &Weak<Shared>, loaded: &Arc<dyn AnyLoaded>) -> bool {
    let mut pauses = Pauses::default();
    while let Err(error) = send_all(loaded, None).await {
        let Some(shared) = registry.upgrade() else { return false };
        if !loaded.core().has_to_send() {
            return false;
        }
        tracing::debug!(store = %loaded.core().name(), %error, "a push failed");
        let pause = shared.runtime.sleep(pauses.next());
        drop(shared);
        pause.await;
    }
    true
}

/// Sends all that a store has not sent, however often that takes, and waits for a connection where there is none.
pub(in crate::registry) async fn send_with_patience(registry: &Weak<Shared>, loaded: &Arc<dyn AnyLoaded>) {
    let Some(backend) = loaded.core().backend() else { return };
    while loaded.core().engine.unsent_events() > 0 {
        // What changed before this future was made is seen by looking once more.
        let changed = backend.connection_changed();
        if !backend.connected() {
            changed.await;
        } else if send_until_sent(registry, loaded).await {
            return;
        }
    }
}

/// Sends all that a store has not sent, each push in the time that is given. One at a time: who comes meanwhile waits, and sends what is
/// left then.
pub(super) async fn send_all(loaded: &Arc<dyn AnyLoaded>, longest: Option<Duration>) -> Result<(), BoxError> {
    let core = loaded.core();
    let Some(backend) = core.backend() else { return Ok(()) };
    let (runtime, sync_id) = (&core.runtime, &core.sync_id);
    let _one = core.sending.lock().await;
    loop {
        let reading = Arc::clone(&core.engine);
        let unsent =
            runtime.spawn_blocking(move || reading.unsent(BATCH)).await.map_err(|panic| panic.into_message())??;
        let Some(last) = unsent.events.last() else { return Ok(()) };
        let global = last.number.global();
        let payload = core.engine.payload();
        let request =
            PushRequest { sync_id, expected_head: unsent.expected_head, events: &unsent.events, payload: &payload };
        let push = push(backend, request);
        match longest {
            None => push.await?,
            Some(longest) => match select(std::pin::pin!(push), runtime.sleep(longest)).await {
                Either::Left((pushed, _)) => pushed?,
                Either::Right(_) => return Err(format!("a push took longer than {} s", longest.as_secs()).into()),
            },
        }
        let noting = Arc::clone(&core.engine);
        runtime.spawn_blocking(move || noting.confirm(global)).await.map_err(|panic| panic.into_message())??;
        core.signals.changed();
    }
}

/// One push. The backend is the app's code: if it panics, the push has failed.
async fn push(backend: &Arc<dyn SyncBackend>, request: PushRequest<'_>) -> Result<(), BoxError> {
    let pushed = AssertUnwindSafe(async { backend.push(request).await }).catch_unwind().await;
    pushed.unwrap_or_else(|panic| Err(Panicked::new(panic.as_ref()).into_message().into()))
}
