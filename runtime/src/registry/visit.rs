//! Visits to many stores, loaded or not: a loaded one is asked, a closed one is read as its file lies, and only what cannot be read so is
//! loaded. A visit to a closed store takes no place of the registry, and who wants to load it meanwhile waits.

use std::sync::{Arc, atomic::Ordering};

use futures_util::stream::{self, StreamExt};

use super::{
    existing,
    get::Wait,
    handle::{Hold, LoadRef},
    kind::Kind,
    plan::Plan,
    shared::{Call, Shared},
    stored::Reservation,
};
use crate::{
    error::{AcrossError, LoadError, QueryError, QueryErrorKind},
    id::StoreId,
    options::{GcTime, StoreOptions},
    primitives::atomic::AtomicUsize,
    schema::SchemaModel,
    seeded,
    storage::lock::lock_path,
    store::{ClosedStore, Engine, NotRead, StoreName, read_closed},
};

/// Closed stores that are read at the same time.
const READING: usize = 4;

/// Stores that are loaded for a visit at the same time.
const LOADING: usize = 4;

/// What is done in each store, on one consistent state of it, on the blocking pool.
pub(crate) trait InStore: Send + Sync + 'static {
    /// In a loaded one.
    fn loaded(&self, number: usize, engine: &Arc<Engine>) -> Result<(), QueryError>;

    /// In a closed one.
    fn closed(&self, number: usize, store: ClosedStore<'_>) -> Result<(), QueryErrorKind>;
}

/// Visits stores, each under its number, in any order. The errors of those that were not visited.
///
/// # Errors
/// Of the whole: the definition's name is another type's, or its schema is not valid.
pub(crate) async fn visit(
    shared: &Arc<Shared>,
    parent: Option<LoadRef>,
    kind: &'static Kind,
    stores: Vec<(usize, StoreId)>,
    work: Arc<dyn InStore>,
) -> Result<Vec<(usize, AcrossError)>, AcrossError> {
    shared.lock().claim_name(kind)?;
    if stores.is_empty() {
        return Ok(Vec::new());
    }
    let plan = Arc::new(shared.plan(kind, &Call { existing: true, ..Call::default() }, &shared.defaults()));
    let tour = Arc::new(Tour {
        shared: Arc::clone(shared),
        kind,
        model: shared.models.of(kind)?,
        plan,
        stores,
        next: AtomicUsize::new(0),
        work,
    });
    let walks = (0..READING.min(tour.stores.len())).map(|_| {
        let tour = Arc::clone(&tour);
        shared.runtime.spawn_blocking(move || tour.walk())
    });
    let (mut failed, mut rest) = (Vec::new(), Vec::new());
    for walk in walks.collect::<Vec<_>>() {
        let panicked = |message| AcrossError::Panicked { definition: kind.name, message };
        let (refused, to_load) = walk.await.map_err(|panic| panicked(panic.into_message()))?;
        failed.extend(refused);
        rest.extend(to_load);
    }
    let loads = rest.into_iter().map(|at| tour.load(at, parent));
    let loaded: Vec<_> = stream::iter(loads).buffer_unordered(LOADING).collect().await;
    failed.extend(loaded.into_iter().flatten());
    failed.sort_by_key(|(number, _)| *number);
    Ok(failed)
}

/// One way through many stores, that several threads go together.
struct Tour {
    shared: Arc<Shared>,
    kind: &'static Kind,
    model: Arc<SchemaModel>,
    plan: Arc<Plan>,
    stores: Vec<(usize, StoreId)>,
    /// The next store that nobody has visited.
    next: AtomicUsize,
    work: Arc<dyn InStore>,
}

/// What a visit comes to.
enum Visited {
    Yes,
    No(AcrossError),
    /// It is to be loaded, or is loading, or closing.
    ThroughRegistry,
}

type Refused = Vec<(usize, AcrossError)>;

impl Tour {
    /// Visits stores until none is left. Those that refuse, and the places of those that are to be loaded.
    fn walk(&self) -> (Refused, Vec<usize>) {
        let (mut refused, mut to_load) = (Vec::new(), Vec::new());
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((number, id)) = self.stores.get(at) else { return (refused, to_load) };
            match self.visit(*number, id) {
                Visited::Yes => {}
                Visited::No(error) => refused.push((*number, error)),
                Visited::ThroughRegistry => to_load.push(at),
            }
        }
    }

    fn visit(&self, number: usize, id: &StoreId) -> Visited {
        if let Some(loaded) = self.shared.observe(self.kind, id) {
            let engine = Arc::clone(&loaded.core().engine);
            let _hold = Hold::counted(loaded);
            return match self.work.loaded(number, &engine) {
                Ok(()) => Visited::Yes,
                // It left meanwhile.
                Err(error) if is_gone(&error) => Visited::ThroughRegistry,
                Err(error) => Visited::No(error.into()),
            };
        }
        let name = StoreName::new(self.kind.name, id.clone());
        let Some(_reserved) = self.reserve(&name) else { return Visited::ThroughRegistry };
        let Some(layout) = self.shared.layout.as_ref().filter(|_| !self.plan.in_memory) else {
            return Visited::No(existing::not_found(&self.shared, name).into());
        };
        let file = layout.store(name.definition(), name.id());
        let read = read_closed(&file, &name, &self.model, |store| self.work.closed(number, store));
        match read {
            Ok(()) => Visited::Yes,
            Err(NotRead::Missing) if seeded::bug("missing-store-made") => Visited::ThroughRegistry,
            Err(NotRead::Missing) => Visited::No(existing::not_found(&self.shared, name).into()),
            Err(NotRead::Locked(holder)) => {
                Visited::No(LoadError::Locked { store: name, holder, file: lock_path(&file) }.into())
            }
            Err(NotRead::NeedsLoad) => Visited::ThroughRegistry,
        }
    }

    /// Keeps everybody from a store that is not in the registry.
    fn reserve(&self, name: &StoreName) -> Option<Reservation> {
        let at = self.shared.with(|state, _| {
            let is_free = !state.shut_down && state.slots.find(self.kind.type_id, name.id()).is_none();
            is_free.then(|| state.reserve(self.kind, name.clone(), Arc::clone(&self.plan)))
        })?;
        Some(Reservation::new(&self.shared, at))
    }

    /// Loads a store for the visit, as a `get` of it does, and lets it go.
    async fn load(&self, at: usize, parent: Option<LoadRef>) -> Option<(usize, AcrossError)> {
        let (number, id) = self.stores[at].clone();
        let refused = |error: AcrossError| Some((number, error));
        let mut wait = Wait::new(&self.shared, parent, self.kind, Ok(id.clone()));
        // It leaves as soon as nobody else wants it.
        let options = StoreOptions { gc_time: Some(GcTime::seconds(0)), ..StoreOptions::default() };
        *wait.call() = Call { existing: !seeded::bug("missing-store-made"), options, ..Call::default() };
        let loaded = match std::future::poll_fn(|context| wait.poll(context)).await {
            Ok(loaded) => loaded,
            Err(error) => return refused(error.into()),
        };
        let engine = Arc::clone(&loaded.core().engine);
        let hold = Hold::counted(loaded);
        let work = Arc::clone(&self.work);
        let visited = self.shared.runtime.spawn_blocking(move || {
            let visited = work.loaded(number, &engine);
            drop(hold);
            visited
        });
        match visited.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => refused(error.into()),
            Err(panic) => refused(AcrossError::Panicked { definition: self.kind.name, message: panic.into_message() }),
        }
    }
}

fn is_gone(error: &QueryError) -> bool {
    matches!(error.kind(), QueryErrorKind::Store(_) | QueryErrorKind::Interrupted)
}

/// The loaded stores of a definition.
pub(crate) fn loaded_engines(shared: &Shared, kind: &'static Kind) -> Vec<Arc<Engine>> {
    let state = shared.lock();
    let of_kind = state.slots.iter().filter(|(_, slot)| slot.kind.type_id == kind.type_id);
    of_kind.filter_map(|(_, slot)| slot.loaded.as_ref().map(|loaded| Arc::clone(&loaded.core().engine))).collect()
}
