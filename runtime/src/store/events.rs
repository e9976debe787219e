//! The eventlog as a stream.

use std::{
    collections::VecDeque,
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{Engine, observer::Observer, read::Span, undos::Undo, watch::WatchSlot};
use crate::{
    error::{QueryError, QueryErrorKind, StoreError},
    event::{EventNumber, StoredEvent},
    storage::eventlog::{LogCursor, LogError, last_of, place_of},
};
#[cfg(feature = "testing")]
use crate::{event::LogNumbers, storage::meta};

/// Events read from the log at once.
const READ_EVENTS: usize = 128;

impl Engine {
    /// The numbers of all events, and which of them are confirmed: both as they are in the file at one moment.
    #[cfg(feature = "testing")]
    pub(crate) fn log_numbers(&self) -> Result<LogNumbers, QueryError> {
        let (mut numbers, mut confirmed) = (Vec::<EventNumber>::new(), EventNumber::ZERO);
        self.read(Span::Snapshot, &mut |connection| {
            numbers.clear();
            let noted = meta::confirmed(connection).map_err(|error| self.log_refused(error.into()))?;
            let cursor = LogCursor::after(connection, self.shared.key.clone(), place_of(EventNumber::ZERO));
            let mut cursor = cursor.map_err(|error| self.log_refused(error))?;
            while cursor.read(connection, READ_EVENTS).map_err(|error| self.log_refused(error))? > 0 {
                numbers.extend(cursor.rows().map(|row| row.number));
            }
            let head = numbers.last().copied().unwrap_or(EventNumber::ZERO);
            confirmed = if self.has_backend() { head.min(last_of(noted)) } else { head };
            Ok(())
        })?;
        let pending = numbers.split_off(numbers.partition_point(|number| *number <= confirmed));
        Ok(LogNumbers::new(numbers, pending))
    }

    /// At most `limit` events after `after`, every row checked.
    pub(super) fn log_after(&self, after: EventNumber, limit: usize) -> Result<Vec<StoredEvent>, QueryError> {
        let mut events = Vec::new();
        self.read(Span::Snapshot, &mut |connection| {
            let cursor = LogCursor::after(connection, self.shared.key.clone(), place_of(after));
            let mut cursor = cursor.map_err(|error| self.log_refused(error))?;
            cursor.read(connection, limit).map_err(|error| self.log_refused(error))?;
            events = cursor.rows().map(|row| row.to_stored()).collect();
            Ok(())
        })?;
        Ok(events)
    }

    /// The synced event at a number in the agreed order.
    pub(crate) fn synced_event(&self, global: u64) -> Result<Option<StoredEvent>, QueryError> {
        let mut from = last_of(global.saturating_sub(1));
        loop {
            // Client-only events may be in between.
            let read = self.log_after(from, 16)?;
            let Some(last) = read.last() else { return Ok(None) };
            from = last.number;
            if let Some(event) = read.into_iter().find(|event| !event.number.is_client_only()) {
                return Ok((event.number.global() == global).then_some(event));
            }
        }
    }

    /// A row of the log that does not check stops the store: nothing that is built on the log can be trusted.
    pub(super) fn log_refused(&self, error: LogError) -> QueryErrorKind {
        match error {
            LogError::Sqlite(error) => self.refused("the eventlog", error),
            LogError::Damaged { .. } => {
                self.fail(format!("its eventlog is damaged: {error}"));
                self.closed_store().into()
            }
        }
    }
}

/// What a [`PendingEventStream`] says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LogChange {
    /// The next event of the log.
    Event(StoredEvent),
    /// A rebase took back what the stream has shown from this number on; it is shown again as it stands now.
    Undone(EventNumber),
}

/// The stream without its store's type.
struct Events {
    observer: Option<Observer>,
    after: EventNumber,
    /// Of a stream that shows pending events: what was undone of them.
    undo: Option<Undo>,
    ready: VecDeque<StoredEvent>,
    slot: WatchSlot,
}

impl Events {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<StoredEvent, StoreError>>> {
        let Some(observer) = &self.observer else { return Poll::Ready(None) };
        let engine = Arc::clone(observer.engine());
        engine.watchers.watch(&mut self.slot, context.waker());
        if let Err(error) = engine.gate.check_read() {
            return Poll::Ready(self.end(error));
        }
        if self.ready.is_empty() && self.limit(&engine) > self.after {
            match self.fill(&engine) {
                Ok(()) => {}
                // The store goes on, and so does the stream: the next poll reads again.
                Err(error @ StoreError::Storage { .. }) => return Poll::Ready(Some(Err(error))),
                Err(error) => return Poll::Ready(self.end(error)),
            }
        }
        match self.ready.pop_front() {
            Some(event) => {
                self.after = event.number;
                Poll::Ready(Some(Ok(event)))
            }
            None => Poll::Pending,
        }
    }

    /// The last event that is shown now.
    fn limit(&self, engine: &Engine) -> EventNumber {
        if self.undo.is_some() { engine.head() } else { engine.last_confirmed() }
    }

    fn fill(&mut self, engine: &Engine) -> Result<(), StoreError> {
        let mut from = self.after;
        let limit = self.limit(engine);
        // A log may hold more client-only events in a row than one read brings.
        while self.ready.is_empty() && from < limit {
            let read = engine.log_after(from, READ_EVENTS).map_err(|error| match error.into_kind() {
                QueryErrorKind::Store(error) => error,
                other => engine
                    .gate
                    .check_read()
                    .err()
                    .unwrap_or_else(|| StoreError::Storage { store: engine.store(), message: other.to_string() }),
            })?;
            let Some(last) = read.last() else { break };
            from = last.number;
            let synced_only = engine.has_backend();
            self.ready.extend(
                read.into_iter()
                    .filter(|event| event.number <= limit && !(synced_only && event.number.is_client_only())),
            );
            if self.ready.is_empty() {
                self.after = from.min(limit);
            }
        }
        Ok(())
    }

    /// The first event that was shown and undone since, if there is one; it is shown again from there.
    fn take_back(&mut self) -> Option<EventNumber> {
        let first = self.undo.as_ref()?.take()?;
        self.ready.retain(|event| event.number < first);
        let is_shown = first <= self.after;
        // A number before the first: there may be none in the log that is the last one before it.
        self.after = self.after.min(last_of(first.global().saturating_sub(1)));
        is_shown.then_some(first)
    }

    fn end(&mut self, error: StoreError) -> Option<Result<StoredEvent, StoreError>> {
        if let Some(observer) = self.observer.take() {
            observer.engine().watchers.leave(&mut self.slot);
        }
        self.ready.clear();
        Some(Err(error))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            observer.engine().watchers.leave(&mut self.slot);
        }
    }
}

/// The events of a store, from [`Store::events`](crate::Store::events). It waits for further ones for ever, is an observer of the
/// store, and ends with one error when the store goes. [`StoreError::Storage`] is no end: the event that could not be read is read again.
pub struct EventStream<D> {
    events: Events,
    types: PhantomData<fn() -> D>,
}

impl<D> EventStream<D> {
    pub(crate) fn new(engine: &Arc<Engine>, after: EventNumber) -> Self {
        let (ready, slot) = Default::default();
        let events = Events { observer: Some(Observer::new(engine)), after, undo: None, ready, slot };
        Self { events, types: PhantomData }
    }

    /// The same with the events that the sync backend has not ordered yet. Without a backend there are none.
    #[must_use]
    pub fn with_pending(mut self) -> PendingEventStream<D> {
        self.events.undo = self.events.observer.as_ref().map(|observer| observer.engine().undos.listen());
        PendingEventStream { events: self.events, types: PhantomData }
    }

    /// The next event; `None` after the end.
    ///
    /// # Errors
    /// [`StoreError`], once, when the store goes: evicted, closed or stopped. After it comes `None`.
    pub async fn next(&mut self) -> Option<Result<StoredEvent, StoreError>> {
        std::future::poll_fn(|context| self.events.poll(context)).await
    }
}

impl<D> Stream for EventStream<D> {
    type Item = Result<StoredEvent, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll(context)
    }
}

impl<D> Unpin for EventStream<D> {}

/// The events of a store with those that the sync backend has not ordered yet, from [`EventStream::with_pending`].
pub struct PendingEventStream<D> {
    events: Events,
    types: PhantomData<fn() -> D>,
}

impl<D> PendingEventStream<D> {
    /// The next event, or what was undone; `None` after the end.
    ///
    /// # Errors
    /// [`StoreError`], once, when the store goes: evicted, closed or stopped. After it comes `None`.
    pub async fn next(&mut self) -> Option<Result<LogChange, StoreError>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<LogChange, StoreError>>> {
        if let Some(first) = self.events.take_back() {
            return Poll::Ready(Some(Ok(LogChange::Undone(first))));
        }
        match self.events.poll(context) {
            // What was undone before this task was to be woken.
            Poll::Pending => match self.events.take_back() {
                Some(first) => Poll::Ready(Some(Ok(LogChange::Undone(first)))),
                None => Poll::Pending,
            },
            Poll::Ready(item) => Poll::Ready(item.map(|event| event.map(LogChange::Event))),
        }
    }
}

impl<D> Stream for PendingEventStream<D> {
    type Item = Result<LogChange, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl<D> Unpin for PendingEventStream<D> {}

impl<D> fmt::Debug for EventStream<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EventStream").field("after", &self.events.after).finish_non_exhaustive()
    }
}

impl<D> fmt::Debug for PendingEventStream<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PendingEventStream").field("after", &self.events.after).finish_non_exhaustive()
    }
}
