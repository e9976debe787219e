//! One step of a store's sync with its backend: a push, or a page. The backend is the app's code: if it panics, the step has failed.

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use futures_util::{
    FutureExt, StreamExt,
    future::{Either, select},
};

use super::{
    accepted::{begin_push, come_back},
    compared::Start,
    gathered::{Gathered, take_page},
};
use crate::{
    clock::Panicked,
    error::{BoxError, StoreError, SyncError},
    options::Resolved,
    registry::{handle::Core, syncing::Syncing},
    seeded,
    store::MergeError,
    sync::{
        BackendError, BoxStream, OnBackendChange, PullPage, PullRequest, PushAnswer, PushRequest, Remaining,
        processor::{Accepted, BATCH_EVENTS, Misfit, Processor, batch},
    },
};

/// How long the app may think about what the backend is told: a push holds up the others of its store meanwhile.
const PROVIDER: Duration = Duration::from_secs(60);

/// How long the answer to a push may take when what was pushed has come back by a pull.
const ANSWER_BEHIND_PULL: Duration = Duration::from_secs(5);

/// Pushes the first events that are unsent. When they are accepted they are confirmed: the backend has them, and in this order.
pub(super) async fn push(core: &Syncing<'_>, processor: &mut Processor) -> Result<(), SyncError> {
    begin_push(core);
    let (reading, accepted) = (Arc::clone(&core.engine), core.synced.sent.accepted());
    let accepted_id = accepted.as_ref().map(|accepted| accepted.backend_id.clone());
    let read = core.runtime.spawn_blocking(move || reading.unsent(accepted.as_ref(), BATCH_EVENTS)).await;
    let unsent = read.map_err(|panic| failed(core, panic.into_message()))?;
    let mut unsent = unsent.map_err(|error| failed(core, error))?;
    let read = unsent.events.len();
    unsent.events.truncate(batch(&unsent.events));
    let is_all = unsent.events.len() == read && read < BATCH_EVENTS;
    if unsent.events.is_empty() {
        return Ok(());
    }
    let (payload, backend_id) = (ask(core).await?.payload, core.engine.sync.backend_id().or(accepted_id));
    let request = PushRequest::new(&core.synced.sync_id, unsent.expected_head, &unsent.events, &payload);
    let request = request.backend_id(backend_id.as_deref());
    let pushing = AssertUnwindSafe(async { core.synced.backend.push(request).await }).catch_unwind();
    // A pull may bring its own events, or others' that are in their place, and a backend may have forgotten the answer: while the connection
    // lives, that would hold up the store for ever.
    let unanswered = async {
        come_back(core, unsent.expected_head + unsent.events.len() as u64, unsent.rebases).await;
        core.runtime.sleep(ANSWER_BEHIND_PULL).await;
    };
    let Either::Left((pushed, _)) = select(std::pin::pin!(pushing), std::pin::pin!(unanswered)).await else {
        tracing::debug!(store = %core.name(), "a push is not answered, and its events have come back");
        return Ok(());
    };
    let answer = pushed.map_err(|panic| failed(core, Panicked::new(panic.as_ref()).into_message()))?;
    let answer = answer.map_err(|error| refused(core, &error))?;
    match processor.pushed(&answer, unsent.expected_head, is_all) {
        Ok(true) => {}
        Ok(false) => return Ok(()),
        Err(Misfit::RolledBack { confirmed, head }) => {
            return Err(SyncError::BackendRolledBack { store: core.name().clone(), confirmed, head });
        }
        Err(Misfit::Contradiction) => {
            return Err(failed(
                core,
                format!("the backend contradicts itself: it answers {answer:?} to a push of what follows that"),
            ));
        }
        Err(Misfit::OtherBackend) => {}
    }
    match answer {
        PushAnswer::Accepted { backend_id } => {
            check_backend(core, &backend_id)?;
            let head = unsent.expected_head + unsent.events.len() as u64;
            core.synced.sent.accept(Some(Accepted { head, rebases: unsent.rebases, backend_id }));
            Ok(())
        }
        PushAnswer::OtherBackend { backend_id: id } if Some(&id) == backend_id.as_ref() => {
            Err(failed(core, "the backend refuses the id of its own log"))
        }
        PushAnswer::OtherBackend { backend_id } => {
            // What the log of before had accepted counts for nothing.
            core.synced.sent.accept(None);
            check_backend(core, &backend_id)
        }
        PushAnswer::Ahead { .. } => Ok(()),
    }
}

/// Takes over all that the backend has now. Each page comes in the time that is given.
pub(super) async fn pull_once(
    core: &Syncing<'_>,
    processor: &mut Processor,
    longest: Option<Duration>,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<(), SyncError> {
    let (payload, backend_id) = (ask(core).await?.payload, known_backend(core));
    let metadata = core.engine.sync.metadata();
    let start = Start::of(core, processor.compares()).await?;
    let before = start.accepted;
    let request = PullRequest::new(&core.synced.sync_id, &payload).after(start.after(), backend_id.as_deref());
    let request = request.metadata(metadata.as_deref());
    let mut pages = begin_pull(core, request, before)?;
    let mut gathered = Gathered::beginning_with(start.known);
    loop {
        let next = in_time(core, longest, next_page(core, &mut pages)).await;
        let page = match next.unwrap_or_else(|error| Some(Err(error))) {
            Some(page) => page,
            None => Err(ended_early(core)),
        };
        let remaining = take_page(core, page, &mut gathered).await?;
        let taken = core.engine.confirmed().saturating_sub(before);
        let left = match remaining {
            Remaining::Nothing => break,
            Remaining::Known(left) => left,
            Remaining::Some => 1,
        };
        progress(taken, taken.saturating_add(left));
    }
    match processor.pulled(core.engine.confirmed()) {
        true => Ok(()),
        false => Err(failed(core, "the backend says that it has further events, and does not give them")),
    }
}

/// Does something in the time that is given.
pub(super) async fn in_time<T>(
    core: &Core,
    longest: Option<Duration>,
    work: impl Future<Output = T>,
) -> Result<T, SyncError> {
    let Some(longest) = longest else { return Ok(work.await) };
    match select(pin!(work), core.runtime.sleep(longest)).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => Err(failed(core, format!("the backend took longer than {} s", longest.as_secs()))),
    }
}

/// A pull has ended, and not with the page that says that nothing is left.
pub(super) fn ended_early(core: &Core) -> SyncError {
    failed(core, "the backend ended a pull before its last page")
}

/// What the backend is told with the next request. Providers are the app's code.
pub(super) async fn ask(core: &Syncing<'_>) -> Result<Resolved, SyncError> {
    let payload = core.synced.told.payload();
    let resolving = pin!(AssertUnwindSafe(payload.resolved()).catch_unwind());
    let resolved = match select(resolving, core.runtime.sleep(PROVIDER)).await {
        Either::Left((resolved, _)) => resolved,
        Either::Right(_) => {
            let message = format!("`sync_payload` has not answered for {} s", PROVIDER.as_secs());
            return Err(failed(core, message));
        }
    };
    let resolved = resolved.map_err(|panic| failed(core, Panicked::new(panic.as_ref()).into_message()))?;
    resolved.map_err(|error| failed(core, format!("`sync_payload` is not to be had: {error}")))
}

/// The id of the log that a request names.
pub(super) fn known_backend(core: &Core) -> Option<String> {
    core.engine.sync.backend_id().filter(|_| !seeded::bug("another-log-ignored"))
}

/// What comes of a pull that has begun.
pub(super) struct Pages<'a> {
    stream: BoxStream<'a, Result<PullPage, BackendError>>,
    /// What the backend had confirmed or accepted when it was asked.
    after: u64,
}

/// Begins a pull, of a backend that had confirmed or accepted all up to a number.
pub(super) fn begin_pull<'a>(core: &Syncing<'a>, request: PullRequest<'a>, after: u64) -> Result<Pages<'a>, SyncError> {
    let backend = &core.synced.backend;
    let pull = std::panic::catch_unwind(AssertUnwindSafe(|| backend.pull(request)));
    let stream = pull.map_err(|panic| failed(core, Panicked::new(panic.as_ref()).into_message()))?;
    Ok(Pages { stream, after })
}

/// The next page; `None` at the end. A backend whose log ends before what it had confirmed when it was asked has lost events.
pub(super) async fn next_page(core: &Core, pages: &mut Pages<'_>) -> Option<Result<PullPage, SyncError>> {
    let confirmed = pages.after;
    match AssertUnwindSafe(pages.stream.next()).catch_unwind().await {
        Ok(Some(Ok(PullPage { head: Some(head), backend_id, .. }))) if head < confirmed => {
            // Of another log that says less, and is worse.
            let other = check_backend(core, &backend_id).err();
            let store = core.name().clone();
            Some(Err(other.unwrap_or(SyncError::BackendRolledBack { store, confirmed, head })))
        }
        Ok(page) => page.map(|page| page.map_err(|error| refused(core, &error))),
        Err(panic) => Some(Err(failed(core, Panicked::new(panic.as_ref()).into_message()))),
    }
}

/// Refuses another log than the one that the confirmed events are of, unless that is as good.
pub(super) fn check_backend(core: &Core, found: &str) -> Result<(), SyncError> {
    core.engine.check_backend(found).map_err(|error| merge_failed(core, error))
}

/// Refuses metadata that is too long to be kept with each page.
pub(super) fn check_metadata(core: &Core, page: &PullPage) -> Result<(), SyncError> {
    let (bytes, most) = (page.metadata.as_ref().map_or(0, String::len), PullPage::METADATA_BYTES);
    match bytes > most {
        true => {
            Err(failed(core, format!("the backend's metadata of a page has {bytes} bytes, at most {most} are kept")))
        }
        false => Ok(()),
    }
}

/// After an error: begins anew with another log, or takes it for the old one, if that is what the options say.
///
/// # Errors
/// The error, if it is another one, or the options say otherwise.
pub(super) async fn mend(core: &Syncing<'_>, error: SyncError) -> Result<(), SyncError> {
    let (resend_own, backend_id) = match (core.synced.on_backend_change, &error) {
        (OnBackendChange::Ignore, SyncError::BackendIdMismatch { found, .. }) => return check_backend(core, found),
        (OnBackendChange::Reset { resend_own }, SyncError::BackendIdMismatch { found, .. }) => {
            (resend_own, found.clone())
        }
        (OnBackendChange::Reset { resend_own }, SyncError::BackendRolledBack { .. }) => {
            let accepted = || core.synced.sent.accepted().map(|accepted| accepted.backend_id);
            (resend_own, core.engine.sync.backend_id().or_else(accepted).unwrap_or_default())
        }
        _ => return Err(error),
    };
    tracing::warn!(store = %core.name(), %error, "the backend's log is another one, the store begins anew with it");
    let engine = Arc::clone(&core.engine);
    let begun = core.runtime.spawn_blocking(move || engine.begin_anew(resend_own, &backend_id)).await;
    begun.map_err(|panic| failed(core, panic.into_message()))?.map_err(|error| merge_failed(core, error))?;
    core.signals.changed();
    Ok(())
}

/// What a backend's error is for a store.
pub(super) fn refused(core: &Core, error: &BackendError) -> SyncError {
    let store = core.name().clone();
    match error {
        BackendError::Offline { reason } => SyncError::Offline { store, reason: reason.clone() },
        BackendError::Unauthorized { reason } => SyncError::Unauthorized { store, reason: reason.clone() },
        BackendError::Refused { refusal, reason } => {
            SyncError::Refused { store, refusal: *refusal, reason: reason.clone() }
        }
        BackendError::OtherBackend { backend_id } => {
            let expected = core.engine.sync.backend_id().unwrap_or_default();
            SyncError::BackendIdMismatch { store, expected, found: backend_id.clone() }
        }
        BackendError::Other(error) => SyncError::Backend { store, message: error.to_string() },
    }
}

pub(super) fn merge_failed(core: &Core, error: MergeError) -> SyncError {
    let store = core.name().clone();
    match error {
        MergeError::Rejected(reject) => SyncError::Backend { store, message: reject.to_string() },
        MergeError::OtherBackend { expected, found } => SyncError::BackendIdMismatch { store, expected, found },
        MergeError::Unknown { name, number } => SyncError::UnknownEvent { store, event: name, number },
        MergeError::Store(error) => SyncError::Store(error),
    }
}

/// All other failures.
pub(super) fn failed(core: &Core, message: impl Into<BoxError>) -> SyncError {
    if let Err(error @ (StoreError::Evicted { .. } | StoreError::Closed { .. })) = core.engine.check_read() {
        return SyncError::Store(error);
    }
    SyncError::Backend { store: core.name().clone(), message: message.into().to_string() }
}

/// Whether a further try can do nothing about it.
pub(super) fn is_final(error: &SyncError) -> bool {
    matches!(
        error,
        SyncError::BackendIdMismatch { .. } | SyncError::BackendRolledBack { .. } | SyncError::UnknownEvent { .. }
    )
}
