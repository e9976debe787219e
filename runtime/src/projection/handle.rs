//! What an app holds of a projection.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use super::Following;
use crate::{
    across::FailedStore,
    definition::ProjectionDefinition,
    error::{AcrossError, LoadError, QueryError},
    event::EventNumber,
    id::StoreId,
    live::Subscription,
    options::IntoGcTime,
    query::{Fits, Query},
    registry::{Evict, Get, StoreHandle},
    store::{LoadProgress, Snapshot, stored_positions},
};

/// One observer's hold on a projection: its tables are queried and subscribed to like a store's. It stays loaded, and follows its sources,
/// while there is a handle or a subscription, and for its gc time after that.
///
/// An event that a source commits in this process is in the tables a moment after; [`catch_up`](Self::catch_up) waits for it.
#[must_use = "the projection is released as soon as the handle is dropped"]
pub struct ProjectionHandle<P> {
    store: StoreHandle<P>,
}

/// A projection that is asked for, from [`StoreRegistry::projection`](crate::StoreRegistry::projection): await it. It is there when it has
/// everything that its sources have.
#[must_use = "a projection is loaded when this is awaited"]
pub struct OpenProjection<P> {
    get: Get<P>,
}

/// How far a projection has read one of its sources.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProjectedSource {
    /// The source.
    pub id: StoreId,
    /// The last event that was read of it.
    pub head: EventNumber,
    /// How many of its events did not materialize. They are tried again when the projection is rebuilt.
    pub failed: u64,
    /// Which was the first of them, and why it did not.
    pub reason: Option<String>,
}

impl<P: ProjectionDefinition> OpenProjection<P> {
    pub(crate) fn new(get: Get<P>) -> Self {
        Self { get }
    }

    /// How long the projection stays loaded after the last observer.
    pub fn gc_time(mut self, gc_time: impl IntoGcTime) -> Self {
        self.get = self.get.gc_time(gc_time);
        self
    }

    /// Hears how far the opening of the projection's own file is.
    pub fn progress(mut self, listener: impl Fn(LoadProgress) + Send + Sync + 'static) -> Self {
        self.get = self.get.progress(listener);
        self
    }
}

impl<P: ProjectionDefinition> Future for OpenProjection<P> {
    type Output = Result<ProjectionHandle<P>, LoadError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.get).poll(context).map(|store| store.map(|store| ProjectionHandle { store }))
    }
}

impl<P: ProjectionDefinition> ProjectionHandle<P> {
    /// Asks a query, or a tuple of queries on one consistent state, as of [`Store::query`](crate::Store::query).
    ///
    /// # Errors
    /// As of [`Store::query`](crate::Store::query).
    pub fn query<Q: Query + Fits<P>>(&self, query: Q) -> Result<Q::Output, QueryError> {
        self.store.query(query)
    }

    /// Asks several queries of one consistent state.
    ///
    /// # Errors
    /// As of [`Store::read`](crate::Store::read).
    pub fn read<R>(&self, work: impl FnOnce(&Snapshot<'_, P>) -> Result<R, QueryError>) -> Result<R, QueryError> {
        self.store.read(work)
    }

    /// Subscribes to a query: its result now, then each different one, as of [`Store::subscribe`](crate::Store::subscribe).
    pub fn subscribe<Q: Query + Fits<P> + Send + Sync + 'static>(&self, query: Q) -> Subscription<Q::Output> {
        self.store.subscribe(query)
    }

    /// Takes over whatever the sources have now that the projection has not: what they have committed here, and what other processes have
    /// written meanwhile.
    ///
    /// # Errors
    /// When the catalog cannot be read or the projection cannot be written. It stays as it was, and goes on from there.
    pub async fn catch_up(&self) -> Result<(), AcrossError> {
        match self.store.kept::<Following>() {
            Some(following) => following.catch_up_all().await,
            None => Err(self.gone()),
        }
    }

    /// Makes all rows anew from the first event of each source on. A changed schema or materializer does that by itself, at the next load.
    ///
    /// # Errors
    /// As of [`catch_up`](Self::catch_up).
    pub async fn rebuild(&self) -> Result<(), AcrossError> {
        match self.store.kept::<Following>() {
            Some(following) => following.rebuild().await,
            None => Err(self.gone()),
        }
    }

    /// The sources that could not be read when that was last tried: their rows are those of before. They are tried again by
    /// [`catch_up`](Self::catch_up), at the next load, and when they are loaded here.
    pub fn failed(&self) -> Vec<FailedStore> {
        self.store.kept::<Following>().map_or_else(Vec::new, |following| following.failed())
    }

    /// How far each source was read, by id.
    ///
    /// # Errors
    /// As of [`query`](Self::query).
    pub fn sources(&self) -> Result<Vec<ProjectedSource>, QueryError> {
        let source = |(id, position): (StoreId, crate::store::Position)| ProjectedSource {
            id,
            head: position.head.number,
            failed: position.failed,
            reason: position.reason,
        };
        Ok(stored_positions(self.store.engine())?.into_iter().map(source).collect())
    }

    /// Closes the projection now, for all its handles. The future waits until the file is closed.
    ///
    /// # Errors
    /// [`StoreError`](crate::StoreError), when it is awaited: the file could not be closed cleanly.
    pub fn close(self) -> Evict {
        self.store.close()
    }

    /// Why it follows nothing any more.
    fn gone(&self) -> AcrossError {
        let closed = || crate::StoreError::Closed { store: self.store.name().clone() };
        QueryError::from(self.store.engine().stopped().unwrap_or_else(closed)).into()
    }
}

impl<P> Clone for ProjectionHandle<P> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone() }
    }
}

impl<P> fmt::Debug for ProjectionHandle<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(formatter)
    }
}

impl<P> fmt::Debug for OpenProjection<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get.fmt(formatter)
    }
}
