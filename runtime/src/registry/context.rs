//! What `on_load` gets.

use std::{
    any::Any,
    fmt,
    sync::{Arc, PoisonError},
};

use tracing::Span;

use super::{StoreRegistry, handle::LoadRef, load::Kept, shared::Shared};
use crate::{store::MigrationsReport, telemetry::Parent};

/// What `on_load` gets beside its store.
pub struct LoadContext {
    registry: StoreRegistry,
    report: MigrationsReport,
    parent_span: Option<Span>,
    span: Span,
    kept: Kept,
}

impl LoadContext {
    pub(super) fn new(
        shared: &Arc<Shared>,
        load: LoadRef,
        report: MigrationsReport,
        parent: Option<&Parent>,
        span: Span,
        kept: &Kept,
    ) -> Self {
        let parent_span = parent.and_then(Parent::named).cloned();
        Self { registry: StoreRegistry::view(shared, load), report, parent_span, span, kept: Arc::clone(kept) }
    }

    /// The registry, as this load sees it: it knows who asks. A `get` that would wait for itself is
    /// [`LoadError::Cycle`](crate::LoadError::Cycle) instead of a deadlock, and [`shutdown`](StoreRegistry::shutdown) closes what was
    /// got here before the store that got it. It does not keep the registry alive.
    pub fn registry(&self) -> &StoreRegistry {
        &self.registry
    }

    /// What loading did to the store's tables.
    pub fn migrations_report(&self) -> &MigrationsReport {
        &self.report
    }

    /// The span that the `get` was given with [`parent_span`](super::Get::parent_span); else the span of the load.
    pub fn parent_span(&self) -> &Span {
        self.parent_span.as_ref().unwrap_or(&self.span)
    }

    /// Holds a child as long as the store of this load is loaded; what is given is dropped after the store was closed.
    ///
    /// ```no_run
    /// # use larder::{prelude::*, StoreDefinition, error::BoxError};
    /// # async fn example<Settings: StoreDefinition<Id = StoreId>, D>(_: &Store<D>, context: LoadContext) -> Result<(), BoxError> {
    /// let settings = context.registry().get::<Settings>("settings").await?;
    /// context.keep(settings);
    /// # Ok(()) }
    /// ```
    pub fn keep(&self, child: impl Any + Send + Sync) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(child));
    }
}

impl fmt::Debug for LoadContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LoadContext").field("report", &self.report).finish_non_exhaustive()
    }
}
