//! Change records for whoever listens: `store.changes()`.

use std::{
    collections::VecDeque,
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, PoisonError, Weak, atomic::Ordering},
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{Engine, Writer, observer::Observer, watch::WatchSlot};
use crate::{
    change::ChangeRecord,
    error::StoreError,
    event::EventNumber,
    primitives::{Mutex, MutexGuard, atomic::AtomicUsize},
};

/// Records kept for a stream that is not polled; then it hears how many it missed.
const KEPT_RECORDS: usize = 1_024;

/// Changed rows in the records that are kept.
const KEPT_ROWS: usize = 65_536;

/// Everybody who listens to the changes of a store. A commit without any costs one atomic load.
#[derive(Default)]
pub(crate) struct Listeners {
    count: Arc<AtomicUsize>,
    queues: Mutex<Vec<Weak<Queue>>>,
}

struct Queue {
    count: Arc<AtomicUsize>,
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    kept: VecDeque<Arc<ChangeRecord>>,
    rows: usize,
    missed: u64,
}

impl Listeners {
    /// Gives a record to everybody who listens.
    fn publish(&self, record: &Arc<ChangeRecord>) {
        for queue in self.lock().iter().filter_map(Weak::upgrade) {
            let mut records = queue.lock();
            let rows = records.rows + record.rows.len();
            if records.missed > 0 || records.kept.len() >= KEPT_RECORDS || rows > KEPT_ROWS {
                records.missed += 1;
            } else {
                records.rows = rows;
                records.kept.push_back(Arc::clone(record));
            }
        }
    }

    /// Tells everybody who listens that a commit was not recorded.
    fn miss(&self) {
        self.lock().iter().filter_map(Weak::upgrade).for_each(|queue| queue.lock().missed += 1);
    }

    fn listen(&self) -> Arc<Queue> {
        self.count.fetch_add(1, Ordering::SeqCst);
        let queue = Arc::new(Queue { count: Arc::clone(&self.count), records: Mutex::default() });
        let mut queues = self.lock();
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(Arc::downgrade(&queue));
        queue
    }

    fn anybody(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
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
        let kept = records.kept.pop_front();
        records.rows -= kept.as_ref().map_or(0, |record| record.rows.len());
        kept.map(Change::Committed).or_else(|| match std::mem::take(&mut records.missed) {
            0 => None,
            commits => Some(Change::Missed { commits }),
        })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Engine {
    /// Before a transaction: records changes while somebody listens or a backend may have them undone, and not otherwise.
    pub(super) fn follow_listeners(&self, writer: &mut Writer) {
        // What fails here is tried again by the next commit; whoever listens hears that this one was missed.
        let _ = writer.follow(self.changes.anybody() || self.live.any(), self.shared.model.tables());
    }

    /// After COMMIT: `commits` are the numbers of each commit and how many of the changed rows come up to its end.
    pub(super) fn publish_changes<'a>(
        &self,
        writer: &mut Writer,
        commits: impl Iterator<Item = (&'a [EventNumber], usize)>,
    ) {
        let Some(rows) = writer.take_heard() else {
            // Somebody began to listen during the commit, or it has changed more rows than are kept.
            self.live.mark_all();
            if self.changes.anybody() {
                commits.for_each(|_| self.changes.miss());
            }
            return;
        };
        let mut rows = rows.into_iter();
        let mut taken = 0;
        for (numbers, end) in commits {
            let own = rows.by_ref().take(end - taken).collect();
            taken = end;
            let record = Arc::new(ChangeRecord { numbers: numbers.to_vec(), rows: own });
            self.live.mark(&record, self.shared.model.tables());
            self.changes.publish(&record);
        }
    }

    /// Listens to the changes of every commit that ends after the call. Takes no lock that a commit holds.
    pub(crate) fn listen(self: &Arc<Self>) -> Changes {
        self.note_call();
        Changes { observer: Observer::new(self), queue: Some(self.changes.listen()), slot: WatchSlot::default() }
    }
}

/// What a [`ChangeStream`] says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// A commit, and the rows that it changed.
    Committed(Arc<ChangeRecord>),
    /// So many commits were missed, because 1,024 or ones with 65,536 rows were waiting to be read, because one alone has changed more
    /// rows, or because they had begun before the stream was made: read the tables anew.
    Missed {
        /// How many commits.
        commits: u64,
    },
}

/// The stream without its store's type.
pub(crate) struct Changes {
    observer: Observer,
    queue: Option<Arc<Queue>>,
    slot: WatchSlot,
}

impl Changes {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Change, StoreError>>> {
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
/// store goes. At most 1,024 commits with 65,536 changed rows wait for a poll; what comes after is counted as [`Change::Missed`].
pub struct ChangeStream<D> {
    changes: Changes,
    types: PhantomData<fn() -> D>,
}

impl<D> ChangeStream<D> {
    pub(crate) fn new(changes: Changes) -> Self {
        Self { changes, types: PhantomData }
    }

    /// The next change; `None` after the end.
    ///
    /// # Errors
    /// [`StoreError`], once, when the store goes: evicted, closed or stopped. After it comes `None`.
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
