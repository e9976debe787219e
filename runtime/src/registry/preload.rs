//! `preload`: loads a store without holding it.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::{get::Wait, handle::LoadRef, kind::kind, shared::Shared};
use crate::{
    definition::{BoxFuture, StoreDefinition},
    error::LoadError,
    id::{StoreId, StoreIdError},
    options::{IntoGcTime, StoreOptions},
    store::LoadProgress,
    telemetry::Parent,
};

/// A store that is to be loaded soon: await it, or [`detach`](Self::detach) it. It is an observer that leaves as soon as loading ends;
/// then the store stays for its gc time.
#[must_use = "a store is preloaded when this is awaited or detached"]
pub struct Preload<D> {
    wait: PreloadWait,
    types: PhantomData<fn() -> D>,
}

/// Preloading without the type.
struct PreloadWait {
    wait: Wait,
    cancelled: Option<BoxFuture<'static, ()>>,
}

impl<D: StoreDefinition> Preload<D> {
    pub(super) fn new(shared: &Arc<Shared>, parent: Option<LoadRef>, id: Result<StoreId, StoreIdError>) -> Self {
        let mut wait = Wait::new(shared, parent, kind::<D>(), id);
        wait.call().passing = true;
        Self { wait: PreloadWait { wait, cancelled: None }, types: PhantomData }
    }

    /// Only a store that is there, as of [`Get::existing`](crate::Get::existing).
    pub fn existing(mut self) -> Self {
        self.wait.wait.call().existing = true;
        self
    }

    /// How long the store stays loaded, as far as this preload is concerned.
    pub fn gc_time(mut self, gc_time: impl IntoGcTime) -> Self {
        self.wait.wait.call().options.gc_time = Some(gc_time.into_gc_time());
        self
    }

    /// The call's layer of the options, all at once.
    pub fn options(mut self, options: StoreOptions) -> Self {
        self.wait.wait.call().options = options;
        self
    }

    /// The span that a load begun by this call is a child of.
    pub fn parent_span(mut self, span: Span) -> Self {
        self.wait.wait.call().parent = Some(Parent::Span(span));
        self
    }

    /// Hears how far the load is.
    pub fn progress(mut self, listener: impl Fn(LoadProgress) + Send + Sync + 'static) -> Self {
        self.wait.wait.call().listener = Some(Arc::new(listener));
        self
    }

    /// Stops waiting when `token` is cancelled: then it is [`LoadError::Cancelled`], and the load goes on only if somebody else waits.
    pub fn cancelled_by(mut self, token: CancellationToken) -> Self {
        self.wait.cancelled = Some(Box::pin(token.cancelled_owned()));
        self
    }

    /// Loads in the background, such as on hover. It begins at once; an error is logged.
    pub fn detach(self) {
        let mut wait = self.wait;
        wait.wait.without_parent();
        let log = |loaded: Result<(), LoadError>| {
            if let Err(error) = loaded {
                tracing::debug!(%error, "a preload failed");
            }
        };
        if let Poll::Ready(loaded) = Pin::new(&mut wait).poll(&mut Context::from_waker(Waker::noop())) {
            return log(loaded);
        }
        let shared = Arc::clone(&wait.wait.shared);
        shared.runtime.spawn(async move { log(wait.await) });
    }
}

impl Future for PreloadWait {
    type Output = Result<(), LoadError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let cancelled = self.cancelled.as_mut().is_some_and(|cancelled| cancelled.as_mut().poll(context).is_ready());
        if cancelled {
            return Poll::Ready(Err(self.wait.cancel()));
        }
        self.wait.poll(context).map_ok(drop)
    }
}

impl<D: StoreDefinition> Future for Preload<D> {
    type Output = Result<(), LoadError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.wait).poll(context)
    }
}

impl<D> fmt::Debug for Preload<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Preload").field("store", &format_args!("{}", self.wait.wait)).finish()
    }
}
