//! Taking over what a pull brings.

use std::sync::Arc;

use super::{
    accepted::{confirm, is_accepted},
    compared::compare,
    exchange::{check_backend, check_metadata, failed, merge_failed},
};
use crate::{
    error::SyncError,
    event::StoredEvent,
    registry::syncing::Syncing,
    store::{MergeError, Merged, Upstream},
    sync::{PullPage, Remaining, SyncPhase, state::Reject},
};

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
    // What the next page is to begin with stays known.
    if gathered.events.is_empty() {
        return Ok(());
    }
    let gathered = std::mem::take(gathered);
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
