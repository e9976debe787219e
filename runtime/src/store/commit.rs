//! Commits: encode, number, append, materialize, COMMIT; and what happens when one of these fails.

use std::sync::Arc;

use super::{
    Engine, Writer,
    engine::Shared,
    follow::Followed,
    inside::{self, Inside, Waiting},
    replay::Unapplied,
    writer::Tip,
};
use crate::{
    error::{CommitErrorKind, StoreError},
    event::{EventContext, EventInfo, EventNumber},
    seeded,
    storage::{
        eventlog::Appended,
        same_file::Standing,
        sqlite::{Connection, SqliteError, SqliteErrorKind},
    },
    telemetry,
};

mod group;
mod plan;
mod queue;
mod typed;

pub(crate) use queue::CommitQueue;
pub use typed::CommitAsync;
pub(in crate::store) use typed::run_work;
pub(crate) use typed::{commit, commit_async};

/// The encoded events of one commit, and how they change tables.
pub(crate) trait CommitWork {
    /// The events in order.
    fn events(&self) -> &[EncodedEvent];

    /// Applies the event at `index` to the tables.
    fn materialize(&self, index: usize, about: &EventContext, connection: &mut Connection) -> Result<(), Unapplied>;
}

/// One event as the log will hold it.
pub(crate) struct EncodedEvent {
    pub(crate) info: &'static EventInfo,
    pub(crate) args: Option<String>,
}

/// What a commit came to; the error is boxed because it is large and rare.
pub(crate) type Outcome = Result<Committed, Box<CommitErrorKind>>;

/// A commit that is durable.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// The numbers of its events, as they were then.
    pub(crate) numbers: Vec<EventNumber>,
    /// Where they are later; nobody asks without a backend.
    pub(crate) followed: Option<Arc<Followed>>,
}

/// Why a commit stopped in the middle, and what it leaves behind.
pub(super) struct Failed {
    pub(super) kind: Box<CommitErrorKind>,
    /// Of SQLite or the file system: the store must look at it.
    pub(super) sqlite: Option<SqliteError>,
}

impl Engine {
    /// Runs commits as the leader: `own` if it never queued, and what has queued meanwhile.
    pub(super) fn lead(self: &Arc<Self>, own: Option<&dyn CommitWork>, waiting: Option<Waiting>) -> Option<Outcome> {
        let mut lead = self.queue.lead();
        let mut slot = self.lock_writer();
        drop(waiting);
        lead.take_group(own.map_or(0, |work| work.events().len()));
        let outcome = match (slot.as_mut(), own) {
            (None, own) => {
                lead.refuse_all(&|| self.closed());
                own.map(|_| Err(self.closed()))
            }
            (Some(writer), Some(own)) if lead.is_empty() => Some(self.commit_alone(writer, own)),
            (Some(writer), own) => self.commit_group(writer, own, &mut lead),
        };
        if let Some(writer) = slot.as_mut() {
            self.after_commit(writer);
        }
        drop(slot);
        drop(lead);
        if !seeded::bug("wake-up-lost") {
            self.watchers.wake_all();
            self.live.wake_marked();
        }
        outcome
    }

    /// One commit in a transaction of its own: the common case, without a savepoint.
    pub(super) fn commit_alone(&self, writer: &mut Writer, work: &dyn CommitWork) -> Outcome {
        self.check_write()?;
        self.follow_listeners(writer);
        let mut numbers = Vec::with_capacity(work.events().len());
        let committed = writer
            .begin()
            .map_err(|error| failed(&self.shared, error))
            .and_then(|()| {
                telemetry::ended("begin");
                apply(writer, &self.shared, self.address(), writer.tip, work, &mut numbers)
            })
            .and_then(|tip| writer.commit().map(|()| tip).map_err(|error| failed(&self.shared, error)));
        telemetry::ended("COMMIT");
        match committed {
            Ok(tip) => {
                writer.tip = tip;
                // Who sees the new head has heard of the changes.
                self.publish_changes(writer, std::iter::once((numbers.as_slice(), usize::MAX)));
                self.published.set(&tip.head);
                Ok(self.committed(numbers))
            }
            Err(failure) => {
                self.undo(writer, failure.sqlite.as_ref());
                Err(self.explain(failure))
            }
        }
    }

    /// What is known of a commit. Under the lock of the writer.
    pub(super) fn committed(&self, numbers: Vec<EventNumber>) -> Committed {
        let followed = if self.has_backend() { self.following.follow(&numbers) } else { None };
        Committed { numbers, followed }
    }

    /// Takes back a transaction that failed.
    pub(super) fn undo(&self, writer: &mut Writer, error: Option<&SqliteError>) {
        writer.roll_back();
        let sync_failed = error.is_some_and(|error| error.kind == SqliteErrorKind::SyncFailed);
        if sync_failed && self.standing() == Standing::Same {
            writer.overwrite_refused();
        }
    }

    /// The error that the caller gets; damage stops the store, a failed sync poisons it.
    pub(super) fn explain(&self, failure: Failed) -> Box<CommitErrorKind> {
        let Some(error) = failure.sqlite else { return failure.kind };
        self.notice_write(&error);
        self.gate.check_write().err().map_or(failure.kind, |error| Box::new(error.into()))
    }

    pub(super) fn check_write(&self) -> Result<(), Box<CommitErrorKind>> {
        self.gate.check_write().map_err(|error| Box::new(error.into()))
    }

    /// What marks this store for [`inside`]: its address, which no other store has while this one lives.
    pub(super) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(super) fn closed(&self) -> Box<CommitErrorKind> {
        let error = self.gate.check_write().err();
        Box::new(error.unwrap_or_else(|| StoreError::Closed { store: self.store() }).into())
    }
}

/// Numbers, appends and materializes the events of one commit, inside a transaction, behind `tip`.
pub(super) fn apply(
    writer: &mut Writer,
    shared: &Shared,
    address: usize,
    mut tip: Tip,
    work: &dyn CommitWork,
    numbers: &mut Vec<EventNumber>,
) -> Result<Tip, Failed> {
    let by = (&shared.client.id, &shared.session_id);
    for (index, event) in work.events().iter().enumerate() {
        let Some((number, id)) = tip.next(event.info.client_only && !seeded::bug("client-only-numbered-as-synced"))
        else {
            let last = tip.head.number;
            return Err(CommitErrorKind::NumbersExhausted { store: shared.name.clone(), last }.into());
        };
        let appended = Appended { number, name: event.info.name, args: event.args.as_deref(), id };
        writer.append(&mut tip, by, appended).map_err(|error| failed(shared, error))?;
        telemetry::ended("append");
        seeded::two_transactions(&mut writer.connection).map_err(|error| failed(shared, error))?;
        let about = EventContext::new(number, by.0.clone(), by.1.clone());
        let mark = writer.connection.changes_mark();
        materialize(writer, shared, address, work, index, &about)?;
        writer.keep_changes(number, mark).map_err(|error| failed(shared, error))?;
        telemetry::ended("materialize");
        numbers.push(number);
    }
    Ok(tip)
}

fn materialize(
    writer: &mut Writer,
    shared: &Shared,
    address: usize,
    work: &dyn CommitWork,
    index: usize,
    about: &EventContext,
) -> Result<(), Failed> {
    let _inside = inside::enter(address, Inside::Materializer);
    let Err(error) = work.materialize(index, about, &mut writer.connection) else { return Ok(()) };
    let (store, event) = (shared.name.clone(), work.events()[index].info.name);
    Err(match error {
        Unapplied::Sqlite(error) => return Err(failed(shared, error)),
        Unapplied::Refused(source) => CommitErrorKind::Materialize { store, event, source },
        Unapplied::Panicked(message) => CommitErrorKind::MaterializerPanicked { store, event, message },
        // A commit has its events already; only stored ones are decoded.
        Unapplied::Decode(error) => CommitErrorKind::Storage { store, message: error.to_string() },
    }
    .into())
}

/// A failure of SQLite in a commit.
pub(super) fn failed(shared: &Shared, error: SqliteError) -> Failed {
    let store = shared.name.clone();
    let kind = match error.kind {
        SqliteErrorKind::DiskFull => CommitErrorKind::DiskFull { store },
        _ => CommitErrorKind::Storage { store, message: error.message.clone() },
    };
    Failed { kind: Box::new(kind), sqlite: Some(error) }
}

impl From<CommitErrorKind> for Failed {
    fn from(kind: CommitErrorKind) -> Self {
        Self { kind: Box::new(kind), sqlite: None }
    }
}
