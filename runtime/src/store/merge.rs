//! Taking over events in the agreed order, in one transaction: what [`SyncState::merge`] says, done to the log and the tables.
//!
//! An advance appends and materializes. A rebase undoes what is pending, newest first, by the change records; appends and materializes the
//! foreign events; and brings the undone ones back, each under its new number and with a new record. Where something cannot be undone row by
//! row, the same is done on emptied tables, after the confirmed events were materialized anew.
//!
//! Nothing of it is visible before COMMIT, and what is confirmed is never rewritten.

use std::sync::Arc;

use self::{rebase::Means, work::Work};
use super::{Engine, Writer, follow::Moves};
use crate::{
    error::{QueryErrorKind, StoreError},
    event::{EventNumber, StoredEvent},
    options::UnknownEvents,
    seeded,
    storage::{
        eventlog::{LogCursor, LogError, last_of, place_of},
        sqlite::SqliteError,
    },
    sync::{
        OnBackendChange,
        processor::Accepted,
        state::{Advance, Merge, Nameless, Rebase, Reject, SyncState},
    },
    value::ValueRef,
};

mod rebase;
mod reset;
mod work;

/// So many foreign events a transaction takes, however long that takes.
const LEAST_EVENTS: usize = 100;

/// Pending events that are read at once.
const READ_EVENTS: usize = 128;

/// Which log events are of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upstream<'a> {
    /// The log's id.
    pub(crate) backend_id: &'a str,
    /// What its backend wants to be told with the next pull, once all of the events are taken over.
    pub(crate) metadata: Option<&'a str>,
}

impl<'a> Upstream<'a> {
    /// The log with this id.
    pub(crate) fn of(backend_id: &'a str) -> Self {
        Self { backend_id, metadata: None }
    }
}

/// What a page came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    /// So many events of the page, from its first one on, are confirmed. The others are to come again.
    pub(crate) taken: usize,
    /// The first event that was undone.
    pub(crate) undone_from: Option<EventNumber>,
    /// Events that came to be quarantined.
    pub(crate) quarantined: usize,
    /// Confirmed events that did not materialize.
    pub(crate) failed: usize,
}

/// Why a page was not taken over; nothing of it was.
#[derive(Debug)]
pub(crate) enum MergeError {
    /// It does not fit.
    Rejected(Reject),
    /// It is of another log than the confirmed events are. Whoever asked for it may have done so before the store knew of one.
    OtherBackend { expected: String, found: String },
    /// It holds an event that this app does not know, and [`UnknownEvents::Fail`] says what then.
    Unknown { name: String, number: EventNumber },
    /// Storage failed, or the store takes no writes.
    Store(StoreError),
}

/// Why the transaction stopped.
enum Stop {
    Sqlite(SqliteError),
    Log(LogError),
    Unknown {
        name: String,
        number: EventNumber,
    },
    /// Something is not undone row by row.
    NeedsRebuild,
    /// An event of a batch does not materialize.
    NotMaterialized,
    /// The store goes.
    Gone(StoreError),
}

impl From<SqliteError> for Stop {
    fn from(error: SqliteError) -> Self {
        Self::Sqlite(error)
    }
}

impl From<LogError> for Stop {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl Engine {
    /// Takes over a page of events in the agreed order of the backend's log with this id, or its beginning. Blocks. Where events are left,
    /// the next call takes them.
    ///
    /// # Errors
    /// When nothing was taken over.
    pub(crate) fn merge(self: &Arc<Self>, page: &[StoredEvent], upstream: Upstream<'_>) -> Result<Merged, MergeError> {
        let backend_id = upstream.backend_id;
        self.take_over(Some(upstream), |writer, confirmed| {
            if !seeded::bug("page-of-another-log-taken") {
                self.check_backend(backend_id)?;
            }
            let known = page.iter().take_while(|event| event.number.global() <= confirmed).count();
            let merge = self.decide(writer, confirmed, page).map_err(|error| MergeError::Store(self.unread(error)))?;
            Ok((merge, known))
        })
    }

    /// Confirms own events, which the backend has accepted. Blocks. `false`, and nothing has changed, when they may be others by now.
    ///
    /// # Errors
    /// When nothing was confirmed.
    pub(crate) fn confirm(self: &Arc<Self>, accepted: &Accepted) -> Result<bool, MergeError> {
        let mut holds = true;
        self.take_over(Some(Upstream::of(&accepted.backend_id)), |_, confirmed| {
            let stand = self.stand(Some(accepted));
            holds = accepted.rebases == self.published.rebases() && accepted.head <= stand.head;
            if holds {
                self.check_backend(&accepted.backend_id)?;
            }
            let own = if holds { stand.accepted } else { confirmed };
            Ok((Merge::Advance(Advance { own, foreign: &[] }), 0))
        })?;
        Ok(holds)
    }

    /// Refuses another log than the one that the confirmed events are of, unless that is as good.
    ///
    /// # Errors
    /// [`MergeError::OtherBackend`].
    pub(crate) fn check_backend(&self, found: &str) -> Result<(), MergeError> {
        let ignored = self.shared.options.on_backend_change == OnBackendChange::Ignore;
        let checked = self.sync.check_backend(found, ignored || seeded::bug("another-log-ignored"));
        checked.map_err(|expected| MergeError::OtherBackend { expected, found: found.to_owned() })
    }

    /// Takes the pending events out of the log that do not materialize, which a load has found: a rebase onto nothing, which quarantines
    /// them and brings the others back. Blocks. Where it fails they stay listed as failed, and the next load tries again.
    pub(crate) fn quarantine_failed(self: &Arc<Self>) {
        if !self.has_backend() || self.report.failed == 0 || seeded::bug("failed-pending-event-stays") {
            return;
        }
        let done = self.take_over(None, |writer, confirmed| {
            let sql = "SELECT 1 FROM larder_failed WHERE place > ? LIMIT 1";
            let pending = [ValueRef::Integer(place_of(last_of(confirmed)))];
            let found = writer.connection.integer(sql, &pending);
            let found = found.map_err(|error| MergeError::Store(self.failed_or_gone(error.message)))?;
            let (own, foreign) = (confirmed, [].as_slice());
            let nothing = Merge::Advance(Advance { own, foreign });
            Ok((found.map_or(nothing, |_| Merge::Rebase(Rebase { own, foreign })), 0))
        });
        if let Err(error) = done {
            let (store, id) = (self.name().definition(), self.name().id().as_str());
            tracing::warn!(store, id, ?error, "pending events that do not materialize were not quarantined");
        }
    }

    /// Does what is decided, and how many events of a page come before that, under the lock of the writer.
    fn take_over<'p>(
        self: &Arc<Self>,
        upstream: Option<Upstream<'_>>,
        decide: impl FnOnce(&mut Writer, u64) -> Result<(Merge<'p>, usize), MergeError>,
    ) -> Result<Merged, MergeError> {
        self.gate.check_write().map_err(MergeError::Store)?;
        self.note_call();
        let mut slot = self.lock_writer();
        let Some(writer) = slot.as_mut() else {
            return Err(MergeError::Store(StoreError::Closed { store: self.store() }));
        };
        let confirmed = self.published.confirmed();
        let (merge, known) = decide(writer, confirmed)?;
        let done = match merge {
            Merge::Advance(Advance { foreign: [], own }) if own == confirmed => return Ok(Merged::default()),
            Merge::Advance(advance) => self.advance(writer, advance, upstream),
            Merge::Rebase(rebase) => self.rebase(writer, rebase, upstream),
            Merge::Reject(reject) => return Err(MergeError::Rejected(reject)),
        };
        let (ended, own) = match done {
            Ok(done) => done,
            Err(stop) => {
                writer.roll_back();
                return Err(self.stopped_merge(writer, stop));
            }
        };
        let unknown = self.publish_merge(writer, ended.done, own);
        self.after_commit(writer);
        drop(slot);
        self.watchers.wake_all();
        self.live.wake_marked();
        self.call_back(&unknown);
        let own = usize::try_from(own - confirmed).unwrap_or(usize::MAX);
        Ok(Merged { taken: known + own + ended.merged.taken, ..ended.merged })
    }

    fn decide<'p>(&self, writer: &mut Writer, confirmed: u64, page: &'p [StoredEvent]) -> Result<Merge<'p>, LogError> {
        let after = place_of(last_of(confirmed));
        let mut cursor = LogCursor::after(&mut writer.connection, writer.key.clone(), after)?;
        let mut ready = Vec::new().into_iter();
        let connection = &mut writer.connection;
        let pending = std::iter::from_fn(move || {
            if let Some(event) = ready.next() {
                return Some(Ok(event));
            }
            if let Err(error) = cursor.read(connection, READ_EVENTS) {
                return Some(Err(error));
            }
            ready = cursor.rows().map(|row| row.to_stored()).collect::<Vec<_>>().into_iter();
            ready.next().map(Ok)
        });
        SyncState::new(confirmed).merge(page, pending)
    }

    /// In a transaction, which is committed at the end. With the last pending event that is confirmed where it stands.
    fn advance(
        &self,
        writer: &mut Writer,
        advance: Advance<'_>,
        upstream: Option<Upstream<'_>>,
    ) -> Result<(Ended, u64), Stop> {
        self.follow_listeners(writer);
        writer.begin()?;
        let mut work = Work::new(self, writer, upstream);
        work.append(advance.foreign, LEAST_EVENTS)?;
        let taken = work.merged.taken;
        work.leave_quarantine(|| Nameless::of(&advance.foreign[..taken]))?;
        work.commit(advance.own).map(|ended| (ended, advance.own))
    }

    fn rebase(
        &self,
        writer: &mut Writer,
        rebase: Rebase<'_>,
        upstream: Option<Upstream<'_>>,
    ) -> Result<(Ended, u64), Stop> {
        self.follow_listeners(writer);
        match rebase::run(self, writer, &rebase, (Means::Records, upstream)) {
            Err(Stop::NeedsRebuild) => {
                writer.roll_back();
                // Nobody keeps so many changed rows.
                writer.hear_nothing()?;
                rebase::run(self, writer, &rebase, (Means::Rebuild, upstream))
            }
            done => done,
        }
        .map(|ended| (ended, rebase.own))
    }

    /// After COMMIT. Whoever sees the new head has heard of what changed.
    fn publish_merge(&self, writer: &mut Writer, done: Done, own: u64) -> Vec<StoredEvent> {
        let confirmed = own + done.foreign;
        writer.confirmed(confirmed);
        let is_undone = done.undone_from.is_some();
        if is_undone || done.foreign > 0 {
            self.publish_changes(writer, std::iter::once((done.numbers.as_slice(), usize::MAX)));
        } else {
            // What is confirmed where it stands is no change of anything. Numbers do not tell: there are none while nobody listens, and somebody
            // may have begun to.
            drop(writer.take_heard());
        }
        if confirmed < self.published.confirmed() {
            // Before places of before are others', or what is at one of them would be taken for confirmed.
            self.published.set_confirmed(confirmed);
        }
        if is_undone && writer.tip.head.number <= self.published.head() && !seeded::bug("rebase-taken-for-seen") {
            // Live queries tell by the last number whether they know a commit, and this one is not behind those that they know.
            self.live.mark_all();
        }
        if is_undone {
            self.published.rebased();
        }
        if let Some(first) = done.undone_from {
            if !seeded::bug("receipts-not-moved") {
                self.following.moved(place_of(first), &done.moves);
            }
            if !seeded::bug("stream-not-told-of-rebase") {
                self.undos.undone(first);
            }
        }
        self.sync.written(done.backend_id, done.metadata, done.failed);
        self.published.set(&writer.tip.head);
        self.published.set_confirmed(confirmed);
        self.following.confirmed(place_of(last_of(confirmed)));
        done.unknown
    }

    /// The app's code, in no transaction and under no lock.
    fn call_back(&self, unknown: &[StoredEvent]) {
        if let UnknownEvents::Callback(callback) = self.shared.options.unknown_events {
            unknown.iter().for_each(callback);
        }
    }

    fn stopped_merge(&self, writer: &mut Writer, stop: Stop) -> MergeError {
        match stop {
            Stop::Unknown { name, number } => MergeError::Unknown { name, number },
            Stop::Gone(error) => MergeError::Store(error),
            Stop::Log(error) => MergeError::Store(self.unread(error)),
            Stop::Sqlite(error) => {
                self.undo(writer, Some(&error));
                self.notice_write(&error);
                MergeError::Store(self.failed_or_gone(error.message))
            }
            Stop::NeedsRebuild | Stop::NotMaterialized => {
                MergeError::Store(self.failed_or_gone("the tables cannot be built anew".to_owned()))
            }
        }
    }

    fn unread(&self, error: LogError) -> StoreError {
        match self.log_refused(error) {
            QueryErrorKind::Store(error) => error,
            other => self.failed_or_gone(other.to_string()),
        }
    }
}

/// What a transaction did that is committed.
struct Ended {
    merged: Merged,
    done: Done,
}

/// What is to be told of a transaction once it is committed.
#[derive(Default)]
struct Done {
    /// Foreign events that were appended.
    foreign: u64,
    /// The numbers of all events that were appended, and of those that came back, for as long as somebody is to be told.
    numbers: Vec<EventNumber>,
    undone_from: Option<EventNumber>,
    moves: Moves,
    /// The id of the backend's log, if it was written.
    backend_id: Option<String>,
    /// What the backend wants to be told with the next pull, if that was written.
    metadata: Option<Option<String>>,
    /// How many confirmed events do not materialize, if that may be another number than before.
    failed: Option<u64>,
    /// Foreign events that this app does not know.
    unknown: Vec<StoredEvent>,
}
