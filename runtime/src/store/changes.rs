//! Change records for whoever listens: `store.changes()`.

use std::{
    collections::VecDeque,
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{Engine, Writer, observer::Observer, watch::WatchSlot};
use crate::{change::ChangeRecord, error::StoreError};

/// Records kept for a stream that is not polled; then it hears how many it missed.
const KEPT_RECORDS: usize = 1_024;

/// Everybody who listens to the changes of a store.
#[derive(Default)]
pub(crate) struct Listeners {
    queues: Mutex<Vec<Weak<Queue>>>,
}

#[derive(Default)]
struct Queue {
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    kept: VecDeque<Arc<ChangeRecord>>,
    missed: u64,
}

impl Listeners {
    /// Gives a record to everybody who listens.
    pub(super) fn publish(&self, record: ChangeRecord) {
        let record = Arc::new(record);
        for queue in self.lock().iter().filter_map(Weak::upgrade) {
            let mut records = queue.lock();
            if records.missed > 0 || records.kept.len() >= KEPT_RECORDS {
                records.missed += 1;
            } else {
                records.kept.push_back(Arc::clone(&record));
            }
        }
    }

    fn listen(&self) -> Arc<Queue> {
        let queue = Arc::<Queue>::default();
        let mut queues = self.lock();
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(Arc::downgrade(&queue));
        queue
    }

    fn anybody(&self) -> bool {
        self.lock().iter().any(|queue| queue.strong_count() > 0)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Queue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was kept, then how many were missed after it.
    fn take(&self) -> Option<Change> {
        let mut records = self.lock();
        let kept = records.kept.pop_front().map(Change::Committed);
        kept.or_else(|| match std::mem::take(&mut records.missed) {
            0 => None,
            commits => Some(Change::Missed { commits }),
        })
    }
}

impl Engine {
    /// Ends the recording when the last listener has gone. Called between two transactions.
    pub(super) fn follow_listeners(&self, writer: &mut Writer) {
        if writer.connection.is_capturing() && !self.changes.anybody() {
            // What fails here costs time only; the next commit tries again.
            let _ = writer.connection.stop_capture();
        }
    }

    /// Listens to changes from the next commit on.
    pub(crate) fn listen(self: &Arc<Self>) -> Changes {
        let started = self.start_listening();
        let (queue, error) = match started {
            Ok(queue) => (Some(queue), None),
            Err(error) => (None, Some(error)),
        };
        Changes { observer: Observer::new(self), queue, error, slot: WatchSlot::default() }
    }

    fn start_listening(&self) -> Result<Arc<Queue>, StoreError> {
        self.gate.check_read()?;
        self.note_call();
        let mut slot = self.lock_writer();
        let Some(writer) = slot.as_mut() else { return Err(StoreError::Closed { store: self.store() }) };
        if !writer.connection.is_capturing() {
            let started = writer.connection.start_capture(self.shared.model.tables());
            started.map_err(|error| StoreError::Stopped { store: self.store(), reason: error.to_string() })?;
        }
        Ok(self.changes.listen())
    }
}

/// What a [`ChangeStream`] says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// A commit, and the rows that it changed.
    Committed(Arc<ChangeRecord>),
    /// So many commits were missed, because 1,024 were waiting to be read: read the tables anew.
    Missed {
        /// How many commits.
        commits: u64,
    },
}

/// The stream without its store's type.
pub(crate) struct Changes {
    observer: Observer,
    queue: Option<Arc<Queue>>,
    error: Option<StoreError>,
    slot: WatchSlot,
}

impl Changes {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Change, StoreError>>> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(queue) = &self.queue else { return Poll::Ready(None) };
        let engine = self.observer.engine();
        engine.watchers.watch(&mut self.slot, context.waker());
        if let Some(change) = queue.take() {
            return Poll::Ready(Some(Ok(change)));
        }
        match engine.gate.check_read() {
            Ok(()) => Poll::Pending,
            Err(error) => {
                self.queue = None;
                self.observer.release();
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.observer.engine().watchers.leave(&mut self.slot);
    }
}

/// A stream of what each commit changed, from the call on. It is an observer of the store, and ends with one error when the
/// store goes. At most 1,024 commits wait for a poll; what comes after is counted as [`Change::Missed`].
pub struct ChangeStream<D> {
    changes: Changes,
    types: PhantomData<fn() -> D>,
}

impl<D> ChangeStream<D> {
    pub(crate) fn new(changes: Changes) -> Self {
        Self { changes, types: PhantomData }
    }

    /// The next change; `None` after the end.
    pub async fn next(&mut self) -> Option<Result<Change, StoreError>> {
        std::future::poll_fn(|context| self.changes.poll(context)).await
    }
}

impl<D> Stream for ChangeStream<D> {
    type Item = Result<Change, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.changes.poll(context)
    }
}

impl<D> Unpin for ChangeStream<D> {}

impl<D> fmt::Debug for ChangeStream<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ChangeStream")
            .field("store", self.changes.observer.engine().name())
            .finish_non_exhaustive()
    }
}
