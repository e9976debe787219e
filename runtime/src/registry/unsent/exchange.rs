//! One step of a store's sync with its backend: a push, or a page. The backend is the app's code: if it panics, the step has failed.

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use futures_util::{
    FutureExt, StreamExt,
    future::{Either, select},
};

use super::{
    accepted::{begin_push, come_back, confirm, is_accepted, stand},
    compared::compare,
};
use crate::{
    clock::Panicked,
    error::{BoxError, StoreError, SyncError},
    event::StoredEvent,
    options::Resolved,
    registry::{handle::Core, syncing::Syncing},
    seeded,
    store::{MergeError, Merged, Upstream},
    sync::{
        BackendError, BoxStream, OnBackendChange, PullPage, PullRequest, PushAnswer, PushRequest, Remaining, SyncPhase,
        processor::{Accepted, BATCH_EVENTS, Misfit, Processor, batch},
        state::Reject,
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

/// Takes over all that the backend has now.
pub(super) async fn pull_once(
    core: &Syncing<'_>,
    processor: &mut Processor,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<(), SyncError> {
    let before = stand(core).accepted;
    let (payload, backend_id) = (ask(core).await?.payload, known_backend(core));
    let metadata = core.engine.sync.metadata();
    let request = PullRequest::new(&core.synced.sync_id, &payload).after(before, backend_id.as_deref());
    let request = request.metadata(metadata.as_deref());
    let mut pages = begin_pull(core, request, before)?;
    let mut gathered = Gathered::default();
    while let Some(page) = next_page(core, &mut pages).await {
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

/// Pages that are taken over together. Each rebase brings all pending events back, so they are gathered until they hold about as many: then
/// an event that comes back is paid for by one that is new, however small the pages are.
#[derive(Default)]
pub(super) struct Gathered {
    events: Vec<StoredEvent>,
    bytes: usize,
    backend_id: String,
    metadata: Option<String>,
    /// What the first page is to begin with: the last event that was confirmed.
    begins_with: Option<StoredEvent>,
}

/// Most events that are gathered, and most bytes of their arguments.
const MOST_GATHERED: (usize, usize) = (2_000, 4 << 20);

impl Gathered {
    /// Of a pull whose first page begins with this event, if there is one.
    pub(super) fn beginning_with(begins_with: Option<StoredEvent>) -> Self {
        Self { begins_with, ..Self::default() }
    }

    fn add(&mut self, page: PullPage) {
        self.bytes += page.events.iter().filter_map(|event| event.args.as_ref()).map(String::len).sum::<usize>();
        self.events.extend(page.events);
        self.backend_id = page.backend_id;
        self.metadata = page.metadata.or_else(|| self.metadata.take());
    }

    fn is_followed_by(&self, page: &PullPage) -> bool {
        let (Some(last), Some(next)) = (self.events.last(), page.events.first()) else { return true };
        last.number.global().checked_add(1) == Some(next.number.global())
    }

    /// Whether more are to come first, with so many events pending.
    fn waits(&self, pending: u64) -> bool {
        let (most, bytes) = MOST_GATHERED;
        self.events.len() < most.min(usize::try_from(pending).unwrap_or(most)) && self.bytes < bytes
    }
}

/// Takes over a page, or gathers it; what there is behind it. Before an error of the pull what was gathered is taken over.
pub(super) async fn take_page(
    core: &Syncing<'_>,
    page: Result<PullPage, SyncError>,
    gathered: &mut Gathered,
) -> Result<Remaining, SyncError> {
    let mut page = match page {
        Ok(page) => page,
        Err(error) => {
            take_gathered(core, gathered).await?;
            return Err(error);
        }
    };
    check_backend(core, &page.backend_id)?;
    check_metadata(core, &page)?;
    compare(core, &mut gathered.begins_with, &mut page)?;
    let remaining = page.remaining;
    if !is_accepted(core, &page.events, &page.backend_id) {
        // What came before a page that leaves something out is good, whatever becomes of that.
        if !gathered.is_followed_by(&page) {
            take_gathered(core, gathered).await?;
        }
        gathered.add(page);
    }
    let here = gathered.events.len() as u64;
    core.engine.note_sync(|notes| match remaining {
        Remaining::Nothing => notes.behind(here),
        Remaining::Known(left) => notes.lags(here.saturating_add(left)),
        Remaining::Some => notes.lags(here + 1),
    });
    if remaining == Remaining::Nothing || !gathered.waits(core.engine.unsent_events()) {
        take_gathered(core, gathered).await?;
    }
    if remaining == Remaining::Nothing {
        core.engine.note_sync(|notes| notes.phase(SyncPhase::Live));
    }
    Ok(remaining)
}

async fn take_gathered(core: &Syncing<'_>, gathered: &mut Gathered) -> Result<(), SyncError> {
    let gathered = std::mem::take(gathered);
    if gathered.events.is_empty() {
        return Ok(());
    }
    // Pages that bring what was accepted are passed over, and what comes now follows it.
    confirm(core).await?;
    take_over(core, Arc::new(gathered)).await
}

/// Takes over events in transactions that are short enough for commits to come between.
async fn take_over(core: &Syncing<'_>, gathered: Arc<Gathered>) -> Result<(), SyncError> {
    let mut taken = 0;
    while taken < gathered.events.len() {
        let (engine, gathered) = (Arc::clone(&core.engine), Arc::clone(&gathered));
        let merge = core.runtime.spawn_blocking(move || {
            let Gathered { events, backend_id, metadata, .. } = &*gathered;
            engine.merge(&events[taken..], Upstream { backend_id, metadata: metadata.as_deref() })
        });
        let merge = merge.await;
        match merge.map_err(|panic| failed(core, panic.into_message()))? {
            // What came before comes again where a push and a pull bring the same.
            Err(MergeError::Rejected(Reject::Behind { .. })) => break,
            Ok(Merged { taken: 0, .. }) => break,
            Ok(merged) => taken += merged.taken,
            Err(error) => return Err(merge_failed(core, error)),
        }
        core.synced.sent.merged();
        core.signals.changed();
    }
    Ok(())
}

/// Refuses another log than the one that the confirmed events are of, unless that is as good.
fn check_backend(core: &Core, found: &str) -> Result<(), SyncError> {
    core.engine.check_backend(found).map_err(|error| merge_failed(core, error))
}

/// Refuses metadata that is too long to be kept with each page.
fn check_metadata(core: &Core, page: &PullPage) -> Result<(), SyncError> {
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
