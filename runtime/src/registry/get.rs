//! `get`: a future with options to chain.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tracing::Span;

use super::{
    Owner,
    cell::Place,
    handle::{LoadRef, StoreHandle},
    kind::{AnyLoaded, Kind, kind, typed},
    shared::{Call, Joined, Shared},
    slot::LoadCell,
};
use crate::{
    definition::StoreDefinition,
    error::LoadError,
    id::{StoreId, StoreIdError},
    options::{Attributes, IntoGcTime, Payload, StoreOptions},
    store::{LoadProgress, StoreName},
    telemetry::Parent,
};

/// A store that is asked for: await it, or set options of this call first. Dropping it stops waiting.
///
/// Nothing happens before it is polled. From its first poll on it counts as an observer, until it becomes a handle or is dropped.
#[must_use = "a store is loaded when this is awaited; to load it in the background use `preload(..).detach()`"]
pub struct Get<D> {
    wait: Wait,
    owner: Option<Arc<Owner>>,
    types: PhantomData<fn() -> D>,
}

impl<D: StoreDefinition> Get<D> {
    pub(super) fn new(shared: &Arc<Shared>, parent: Option<LoadRef>, id: Result<StoreId, StoreIdError>) -> Self {
        Self { wait: Wait::new(shared, parent, kind::<D>(), id), owner: None, types: PhantomData }
    }

    pub(super) fn owned_by(mut self, owner: Arc<Owner>) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Only a store that is there: otherwise [`LoadError::NotFound`], which names ids that are spelt nearly so, and nothing is made. A
    /// plain `get` makes what is not there, also for a misspelt id.
    pub fn existing(mut self) -> Self {
        self.wait.call().existing = true;
        self
    }

    /// How long the store stays loaded after the last observer, as far as this observer is concerned. The longest of all counts.
    pub fn gc_time(mut self, gc_time: impl IntoGcTime) -> Self {
        self.wait.call().options.gc_time = Some(gc_time.into_gc_time());
        self
    }

    /// The call's layer of the options, all at once. On a loaded store gc time and payload apply, and anything else that differs is
    /// [`LoadError::OptionsConflict`].
    pub fn options(mut self, options: StoreOptions) -> Self {
        self.wait.call().options = options;
        self
    }

    /// What the sync backend is told; merges on top of the definition's and the registry's, and of what earlier calls for the loaded store
    /// said. A function replaces the functions of earlier calls.
    pub fn sync_payload(mut self, payload: Payload) -> Self {
        self.wait.call().options.sync_payload = Some(payload);
        self
    }

    /// Attributes of the spans of the store; merge on top of the definition's and the registry's.
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.wait.call().options.attributes = Some(attributes);
        self
    }

    /// The span that a load begun by this call is a child of; else the span that is current at the first poll.
    pub fn parent_span(mut self, span: Span) -> Self {
        self.wait.call().parent = Some(Parent::Span(span));
        self
    }

    /// The OpenTelemetry context that a load begun by this call is a child of.
    #[cfg(feature = "otel")]
    #[cfg_attr(docsrs, doc(cfg(feature = "otel")))]
    pub fn parent_context(mut self, context: opentelemetry::Context) -> Self {
        self.wait.call().parent = Some(Parent::Context(context));
        self
    }

    /// Hears how far the load is, while tables are rebuilt. Called on a background thread; nothing is heard of a loaded store.
    pub fn progress(mut self, listener: impl Fn(LoadProgress) + Send + Sync + 'static) -> Self {
        self.wait.call().listener = Some(Arc::new(listener));
        self
    }
}

impl<D: StoreDefinition> Future for Get<D> {
    type Output = Result<StoreHandle<D>, LoadError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(loaded) = self.wait.poll(context) else { return Poll::Pending };
        // A slot holds stores of its own definition only, so the type is always the right one.
        let handle = loaded.map(|loaded| typed::<D>(loaded).map(StoreHandle::counted));
        Poll::Ready(match handle {
            Ok(Some(handle)) => Ok(handle.owned_by(self.owner.take())),
            Ok(None) => Err(LoadError::DefinitionConflict {
                name: D::NAME.to_owned(),
                owner: "another type".to_owned(),
                other: std::any::type_name::<D>().to_owned(),
            }),
            Err(error) => Err(error),
        })
    }
}

impl<D> fmt::Debug for Get<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Get").field("store", &format_args!("{}", self.wait)).finish()
    }
}

/// Waiting for a store, without its type. Whoever gets the store from it is a counted observer, unless the call is one that passes.
pub(super) struct Wait {
    pub(super) shared: Arc<Shared>,
    parent: Option<LoadRef>,
    kind: &'static Kind,
    id: Result<StoreId, StoreIdError>,
    call: Option<Box<Call>>,
    state: WaitState,
}

enum WaitState {
    New,
    Waiting { at: u32, cell: Arc<LoadCell>, place: Place },
    Done,
}

impl Wait {
    pub(super) fn new(
        shared: &Arc<Shared>,
        parent: Option<LoadRef>,
        kind: &'static Kind,
        id: Result<StoreId, StoreIdError>,
    ) -> Self {
        Self { shared: Arc::clone(shared), parent, kind, id, call: None, state: WaitState::New }
    }

    pub(super) fn call(&mut self) -> &mut Call {
        self.call.get_or_insert_default()
    }

    /// Waits on nobody's account: what it waits for is no part of a cycle.
    pub(super) fn without_parent(&mut self) {
        self.parent = None;
    }

    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<Result<Arc<dyn AnyLoaded>, LoadError>> {
        loop {
            if matches!(self.state, WaitState::New) {
                match self.join() {
                    Ok(Joined::Loaded(loaded)) => {
                        if self.passes() {
                            loaded.core().release();
                        }
                        return self.done(Ok(loaded));
                    }
                    Ok(Joined::Waiting { at, cell }) => {
                        self.state = WaitState::Waiting { at, cell, place: Place::default() }
                    }
                    Err(error) => return self.done(Err(error)),
                }
            }
            let WaitState::Waiting { at, cell, place } = &mut self.state else { return Poll::Pending };
            let Poll::Ready(outcome) = cell.outcome.poll(place, context) else { return Poll::Pending };
            let (outcome, at) = (outcome.clone(), *at);
            self.shared.waited(at, self.parent);
            if !self.is_refused_for_others(&outcome) {
                return self.done(outcome);
            }
            // Asked for again: the next load makes the store.
            self.state = WaitState::New;
        }
    }

    /// Whether the load was begun by somebody who wants the store only if it is there.
    fn is_refused_for_others(&self, outcome: &Result<Arc<dyn AnyLoaded>, LoadError>) -> bool {
        let existing = self.call.as_ref().is_some_and(|call| call.existing);
        !existing && matches!(outcome, Err(LoadError::NotFound { .. }))
    }

    /// Stops waiting, on behalf of a token.
    pub(super) fn cancel(&mut self) -> LoadError {
        self.stop();
        match &self.id {
            Ok(id) => LoadError::Cancelled { store: StoreName::new(self.kind.name, id.clone()) },
            Err(source) => LoadError::Id { definition: self.kind.name, source: source.clone() },
        }
    }

    fn stop(&mut self) {
        if let WaitState::Waiting { at, cell, mut place } = std::mem::replace(&mut self.state, WaitState::Done) {
            cell.outcome.leave(&mut place);
            self.shared.leave(at, &cell, self.parent, self.passes());
        }
    }

    /// Whether it leaves as soon as the load ends: then who gets the store from it is no observer.
    fn passes(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.passing)
    }

    fn join(&mut self) -> Result<Joined, LoadError> {
        let id =
            self.id.as_ref().map_err(|source| LoadError::Id { definition: self.kind.name, source: source.clone() })?;
        self.shared.join(self.kind, id, self.call.as_deref(), self.parent)
    }

    fn done(&mut self, outcome: Result<Arc<dyn AnyLoaded>, LoadError>) -> Poll<Result<Arc<dyn AnyLoaded>, LoadError>> {
        self.state = WaitState::Done;
        if let (Some(parent), Ok(loaded)) = (self.parent, &outcome) {
            self.shared.note_child(parent, loaded.core().load);
        }
        Poll::Ready(outcome)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Ok(id) => write!(formatter, "{}/{id}", self.kind.name),
            Err(error) => write!(formatter, "{}: {error}", self.kind.name),
        }
    }
}
