//! Values computed of queries, signals and other computed values.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_core::Stream;

use super::{
    listener::Listener,
    marks::Marks,
    slot::{AnyNode, Begun, Node, Refreshed, Slot, Versioned, subscriber},
    source::{Inputs, Pulled, Sources},
};
use crate::error::QueryError;

/// A pure function of subscriptions, signals and other computed values, of one store or several. Clones are the same value.
///
/// It is computed when somebody asks, and only when one of its sources has another value: at most once per change, whatever ways a change
/// takes through the graph. A result that equals the one before goes no further. It is an observer of the stores of its subscriptions.
///
/// ```
/// use larder::{Computed, Signal};
///
/// let (width, height) = (Signal::new(2), Signal::new(3));
/// let area = Computed::new((&width, &height), |(width, height)| *width * *height);
/// width.set(5);
/// assert_eq!(*area.get()?, 15);
/// # Ok::<_, larder::QueryError>(())
/// ```
pub struct Computed<T> {
    node: AnyNode<Arc<T>>,
}

impl<T: PartialEq + Send + Sync + 'static> Computed<T> {
    /// Computes `function` of the values of `sources`: one source, or a tuple of up to six. The function is to answer the same for the
    /// same values; it runs under no lock.
    pub fn new<S: Sources>(sources: S, function: impl Fn(S::Values) -> T + Send + Sync + 'static) -> Self {
        let marks = Arc::new(Marks::default());
        marks.mark_only();
        let (waker, who) = (Waker::from(Arc::clone(&marks)), subscriber());
        Self { node: Arc::new(Inner { inputs: sources.__inputs(), function, slot: Slot::new(), marks, waker, who }) }
    }

    /// Each different value as a stream, the current one first.
    pub fn subscribe(&self) -> Updates<T> {
        Updates::new(self.node())
    }
}

impl<T> Computed<T> {
    /// The value now.
    ///
    /// # Errors
    /// That of a source: of a query that fails, or of a store that is gone.
    pub fn get(&self) -> Result<Arc<T>, QueryError> {
        self.node.now()
    }

    pub(super) fn node(&self) -> AnyNode<Arc<T>> {
        Arc::clone(&self.node)
    }
}

impl<T> Clone for Computed<T> {
    fn clone(&self) -> Self {
        Self { node: Arc::clone(&self.node) }
    }
}

impl<T> fmt::Debug for Computed<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Computed").finish_non_exhaustive()
    }
}

struct Inner<T, V, F> {
    inputs: Box<dyn Inputs<V>>,
    function: F,
    /// With the versions of the inputs that the value was made of.
    slot: Slot<Arc<T>, Vec<u64>>,
    marks: Arc<Marks>,
    /// Of `marks`, for the inputs.
    waker: Waker,
    who: u64,
}

impl<T: PartialEq + Send + Sync, V, F: Fn(V) -> T + Send + Sync> Node<Arc<T>> for Inner<T, V, F> {
    fn refresh(&self) -> Refreshed<Arc<T>> {
        let seen = match self.slot.begin(|| !self.marks.take()) {
            Begun::Busy => return Refreshed::Busy,
            Begun::Is(versioned) => return Refreshed::Is(versioned),
            Begun::Run(seen) => seen,
        };
        let turn = Turn(self);
        self.inputs.watch(self.who, &self.waker);
        let before = self.slot.result();
        let (versions, result, is_new) = match self.inputs.pull() {
            // Whoever computes the input wakes this one.
            Pulled::Busy => return Refreshed::Busy,
            Pulled::Is { versions, values } => match (values, before) {
                (_, Some(before)) if versions == seen => (versions, before, false),
                (Err(error), Some(Err(before))) if before == error => (versions, Err(error), false),
                (Err(error), _) => (versions, Err(error), true),
                (Ok(values), before) => {
                    let value = (self.function)(values);
                    match before {
                        Some(Ok(before)) if *before == value => (versions, Ok(before), false),
                        _ => (versions, Ok(Arc::new(value)), true),
                    }
                }
            },
        };
        std::mem::forget(turn);
        let (versioned, awaited) = self.slot.end(result, is_new, versions);
        if awaited {
            self.marks.wake_subscribers();
        }
        Refreshed::Is(versioned)
    }

    fn now(&self) -> Result<Arc<T>, QueryError> {
        match self.refresh() {
            Refreshed::Is(Versioned { result, .. }) => result,
            Refreshed::Busy => self.inputs.now().map(|values| Arc::new((self.function)(values))),
        }
    }

    fn watch(&self, who: u64, waker: &Waker) {
        self.marks.watch(who, waker);
    }

    fn leave(&self, who: u64) {
        self.marks.leave(who);
    }
}

impl<T, V, F> Drop for Inner<T, V, F> {
    fn drop(&mut self) {
        self.inputs.leave(self.who);
    }
}

/// A computation in progress; dropped when an input is busy, or when the function panics.
struct Turn<'a, T, V, F>(&'a Inner<T, V, F>);

impl<T, V, F> Drop for Turn<'_, T, V, F> {
    fn drop(&mut self) {
        self.0.marks.mark_only();
        if self.0.slot.abandon() {
            self.0.marks.wake_subscribers();
        }
    }
}

/// The values of a [`Signal`](super::Signal) or [`Computed`] as a stream: the current one, then each different one.
///
/// It ends with one error when a store that it depends on is gone; other errors are results like others. That of a signal never ends.
#[must_use = "a stream does nothing until it is polled"]
pub struct Updates<T> {
    listener: Listener<Arc<T>>,
}

impl<T> Updates<T> {
    pub(super) fn new(node: AnyNode<Arc<T>>) -> Self {
        Self { listener: Listener::new(node) }
    }

    /// The next value; `None` after the end.
    pub async fn next(&mut self) -> Option<Result<Arc<T>, QueryError>> {
        std::future::poll_fn(|context| self.listener.poll(context)).await
    }
}

impl<T> Stream for Updates<T> {
    type Item = Result<Arc<T>, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.listener.poll(context)
    }
}

impl<T> Unpin for Updates<T> {}

impl<T> fmt::Debug for Updates<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Updates").field("ended", &self.listener.ended()).finish_non_exhaustive()
    }
}
