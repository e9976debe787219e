//! Sending what one open store has not sent.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{
    error::BoxError,
    registry::{kind::AnyLoaded, shared::Shared},
    sync::PushRequest,
};

/// Events of one push.
const BATCH: usize = 100;
/// Between two tries of a push that failed while the backend says that it is connected.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

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

/// Sends all that a store has not sent, however often that takes, while it is connected.
pub(super) async fn send_until_sent(registry: &Weak<Shared>, loaded: &Arc<dyn AnyLoaded>) {
    let mut pauses = Pauses::default();
    while let Err(error) = send_all(loaded).await {
        let Some(shared) = registry.upgrade() else { return };
        if !loaded.core().has_to_send() {
            return;
        }
        tracing::debug!(store = %loaded.core().name(), %error, "a push failed");
        let pause = shared.runtime.sleep(pauses.next());
        drop(shared);
        pause.await;
    }
}

/// Sends all that a store has not sent.
pub(in crate::registry) async fn send_all(loaded: &Arc<dyn AnyLoaded>) -> Result<(), BoxError> {
    let core = loaded.core();
    let Some(backend) = core.backend() else { return Ok(()) };
    let (runtime, sync_id) = (&core.runtime, &core.sync_id);
    loop {
        let reading = Arc::clone(&core.engine);
        let unsent =
            runtime.spawn_blocking(move || reading.unsent(BATCH)).await.map_err(|panic| panic.into_message())??;
        let Some(last) = unsent.events.last() else { return Ok(()) };
        let global = last.number.global();
        let payload = core.engine.payload();
        let request =
            PushRequest { sync_id, expected_head: unsent.expected_head, events: &unsent.events, payload: &payload };
        backend.push(request).await?;
        let noting = Arc::clone(&core.engine);
        runtime.spawn_blocking(move || noting.confirm(global)).await.map_err(|panic| panic.into_message())??;
    }
}
