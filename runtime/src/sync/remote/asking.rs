//! What both backends do with what is asked of them.

use larder_wire::Payload as WirePayload;
use serde_json::Value;

use super::frames::Pull;
use crate::{
    clock::Runtime,
    options::Payload,
    sync::{BackendError, PullRequest, PushRequest, Refusal},
};

/// Refuses a batch with a hole inside: a backend of LiveStore would keep it, and its log would have the hole for good.
///
/// # Errors
/// Which event does not follow.
pub(super) fn whole(request: &PushRequest<'_>) -> Result<(), BackendError> {
    match request.gap() {
        Some(number) => {
            let reason = format!("event {number} does not follow the one before");
            Err(BackendError::Refused { refusal: Refusal::Invalid, reason })
        }
        None => Ok(()),
    }
}

/// What the server is told, if anything.
pub(super) async fn told(payload: &Payload) -> Result<Option<WirePayload>, BackendError> {
    let entries = payload.resolve().await.map_err(BackendError::Other)?;
    Ok((!entries.is_empty()).then(|| WirePayload(Value::Object(entries.into_iter().collect()))))
}

/// A pull as the wire has it.
pub(super) async fn pull_of(request: PullRequest<'_>) -> Result<Pull, BackendError> {
    Ok(Pull {
        sync_id: request.sync_id.to_owned(),
        after: request.after,
        backend_id: request.backend_id.map(str::to_owned),
        live: request.live,
        payload: told(request.payload).await?,
    })
}

pub(super) fn ended() -> BackendError {
    BackendError::Offline { reason: "the connection ended".to_owned() }
}

pub(super) fn shut_down() -> BackendError {
    BackendError::Offline { reason: "the async runtime was shut down".to_owned() }
}

/// Says whether a server could be reached.
pub(super) fn say(reachable: &tokio::sync::watch::Sender<bool>, now: bool) {
    reachable.send_if_modified(|before| std::mem::replace(before, now) != now);
}

/// How long a message of so many bytes may take on its way: at 8 kB a second, slower than any network that is of use, so that what is
/// sent is not begun anew again and again.
pub(super) fn to_send(bytes: usize) -> std::time::Duration {
    std::time::Duration::from_millis(bytes as u64 / 8)
}

/// What comes of it, unless that takes too long. A runtime without I/O is told of by a panic.
pub(super) async fn with_patience<R>(
    clock: &Runtime,
    patience: std::time::Duration,
    opening: impl Future<Output = Result<R, BackendError>>,
) -> Result<R, BackendError> {
    use futures_util::{
        FutureExt,
        future::{Either, select},
    };
    let opening = std::pin::pin!(std::panic::AssertUnwindSafe(opening).catch_unwind());
    match select(opening, clock.sleep(patience)).await {
        Either::Left((Ok(opened), _)) => opened,
        Either::Left((Err(panic), _)) => {
            Err(BackendError::Other(crate::clock::Panicked::new(panic.as_ref()).into_message().into()))
        }
        Either::Right(_) => Err(BackendError::Offline { reason: format!("no answer after {} s", patience.as_secs()) }),
    }
}
