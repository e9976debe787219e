//! What a subscriber holds: a stream of results, the store, and a place among those who are woken.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{Live, listener::Listener, slot::AnyNode};
use crate::{error::QueryError, store::Observer};

/// A live query's results as a stream: the current one, then each different one. It never ends while the store is loaded.
///
/// A commit marks what it can affect and wakes whoever waits; the query runs when the stream is polled, on the poller's thread, so that any
/// number of commits between two polls are one run. Equal queries of a store share one result. Dropping it frees all of that.
///
/// It is an observer of its store, and ends with one error when the store is evicted, closed or stopped. Other errors, such as a
/// [`QueryErrorKind::NotOne`](crate::QueryErrorKind::NotOne) of a row that is gone, are results like others: the stream goes on.
#[must_use = "a subscription does nothing until it is polled"]
pub struct Subscription<T> {
    listener: Listener<Live<Arc<T>>>,
    /// `None` at the end.
    observer: Option<Observer>,
}

impl<T> Subscription<T> {
    pub(super) fn new(node: AnyNode<Live<Arc<T>>>, observer: Observer) -> Self {
        Self { listener: Listener::new(node), observer: Some(observer) }
    }

    /// The next result; `None` after the end.
    pub async fn next(&mut self) -> Option<Result<Live<Arc<T>>, QueryError>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Live<Arc<T>>, QueryError>>> {
        let next = self.listener.poll(context);
        if self.listener.ended() {
            self.observer = None;
        }
        next
    }

    /// What a computed value takes over.
    pub(super) fn parts(&mut self) -> (AnyNode<Live<Arc<T>>>, Option<Observer>) {
        (self.listener.node(), self.observer.take())
    }
}

impl<T> Stream for Subscription<T> {
    type Item = Result<Live<Arc<T>>, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl<T> Unpin for Subscription<T> {}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = self.observer.as_ref().map(|observer| observer.engine().name().to_string());
        formatter.debug_struct("Subscription").field("store", &store).finish_non_exhaustive()
    }
}
