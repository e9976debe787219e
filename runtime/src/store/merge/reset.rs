//! Beginning anew with another log of the backend: what others have committed goes, what this client has committed becomes pending again.
//! What is pending or client-only is this client's, under whatever id it was committed.

use std::sync::Arc;

use super::{
    Engine, MergeError, Stop, Upstream, Writer,
    rebase::{bring_back_one, check_undone, empty_tables, put_aside},
    work::Work,
};
use crate::{
    error::StoreError,
    event::EventNumber,
    storage::{
        eventlog::{LogHead, following},
        meta,
    },
};

/// Events that are brought back between two reads.
const BATCH: usize = 128;

impl Engine {
    /// Forgets what the backend's log had confirmed, in one transaction: foreign events leave the log; own ones are pending, those that were
    /// confirmed only if they are to be sent again. Blocks for as long as their materializing takes.
    ///
    /// # Errors
    /// When nothing has changed.
    pub(crate) fn begin_anew(self: &Arc<Self>, resend_own: bool, backend_id: &str) -> Result<(), MergeError> {
        self.gate.check_write().map_err(MergeError::Store)?;
        let mut slot = self.lock_writer();
        let Some(writer) = slot.as_mut() else {
            return Err(MergeError::Store(StoreError::Closed { store: self.store() }));
        };
        let confirmed = self.published.confirmed();
        let done = self.reset(writer, (confirmed, resend_own), backend_id);
        match done {
            Ok(ended) => {
                self.publish_merge(writer, ended.done, 0);
                self.after_commit(writer);
                drop(slot);
                self.watchers.wake_all();
                self.live.wake_marked();
                Ok(())
            }
            Err(stop) => {
                writer.roll_back();
                writer.confirmed(confirmed);
                Err(self.stopped_merge(writer, stop))
            }
        }
    }

    fn reset(
        &self,
        writer: &mut Writer,
        (confirmed, resend_own): (u64, bool),
        backend_id: &str,
    ) -> Result<super::Ended, Stop> {
        let Some(first) = following(EventNumber::ZERO, true) else { return Err(Stop::NeedsRebuild) };
        writer.hear_nothing()?;
        writer.begin()?;
        let (_, mut aside) = check_undone(writer, first)?;
        put_aside(writer, &aside, first)?;
        empty_tables(&self.shared.model, &mut writer.connection)?;
        writer.keep_from_here(self.shared.model.tables())?;
        // All that comes back is to have a record.
        writer.confirmed(0);
        // What the backend wanted to be told was of the log of before.
        meta::put_sync_metadata(&mut writer.connection, None)?;
        let mut work = Work::new(self, writer, Some(Upstream::of(backend_id)));
        work.done.metadata = Some(None);
        work.recount = true;
        work.tip.head = LogHead::EMPTY;
        work.done.undone_from = Some(first);
        loop {
            let events = aside.take(&mut work.writer.connection, BATCH)?;
            if events.is_empty() {
                return work.commit(0);
            }
            work.batch(&events, |work, event| {
                let is_pending = event.number.global() > confirmed || event.number.is_client_only();
                if !(is_pending || resend_own && self.shared.client.was(&event.client_id)) {
                    // A receipt of it was confirmed.
                    work.done.moves.arrived(event.number, first);
                    return Ok(());
                }
                let generation = event.number.generation().saturating_add(1);
                let number = following(work.tip.head.number, event.number.is_client_only());
                bring_back_one(work, event, number.map(|number| number.with_generation(generation)))
            })?;
        }
    }
}
