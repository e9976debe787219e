//! Live queries: results that stay up to date.
//!
//! Dirtiness is pushed, results are pulled. A commit marks the queries that its changed rows can affect and wakes who waits; a query runs when
//! somebody polls it. `index` finds what is affected, `news` is what a query has not looked at yet, `window` keeps the first rows of a
//! table up to date without asking SQLite, `slot` holds the last result.

mod affected;
mod computed;
mod index;
mod listener;
mod marks;
mod news;
mod query;
mod rows;
mod signal;
mod slot;
mod source;
mod subscription;
mod watch;
mod window;

use std::{fmt, ops::Deref, sync::Arc};

pub use computed::{Computed, Updates};
pub(crate) use index::LiveQueries;
pub use index::LiveStats;
pub(crate) use rows::Hashed;
pub use signal::Signal;
pub use source::{Source, Sources};
pub use subscription::Subscription;
pub(crate) use watch::RowWatch;

use self::query::LiveQuery;
use crate::{
    event::EventNumber,
    query::Query,
    store::{Engine, Observer},
};

/// A result, and the number of the last event that it knows.
///
/// Results of different subscriptions need not be of the same state; their heads tell. For one state ask a tuple of queries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Live<T> {
    value: T,
    head: EventNumber,
}

impl<T> Live<T> {
    pub(crate) fn new(value: T, head: EventNumber) -> Self {
        Self { value, head }
    }

    /// The same, known to be so at a later head.
    fn at(self, head: EventNumber) -> Self {
        Self { head, ..self }
    }

    /// The number of the last event of the state that was read.
    pub fn head(&self) -> EventNumber {
        self.head
    }

    /// The result alone.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Live<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Live<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Live").field("head", &self.head.to_string()).field("value", &self.value).finish()
    }
}

/// Subscribes to a query. Runs nothing yet.
pub(crate) fn subscribe<Q: Query + Send + Sync + 'static>(engine: &Arc<Engine>, query: Q) -> Subscription<Q::Output> {
    let observer = Observer::new(engine);
    Subscription::new(LiveQuery::of(engine, query), observer)
}
