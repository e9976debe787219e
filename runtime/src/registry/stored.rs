//! What a data dir holds: listing and deleting stores.

use std::{
    fmt, io,
    marker::PhantomData,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    entered::file_of,
    entry::Phase,
    evict::Evict,
    kind::{Kind, kind},
    shared::{Call, Shared},
    state::Reason,
};
use crate::{
    definition::{BoxFuture, StoreDefinition},
    error::{DeleteError, LoadError},
    id::{StoreId, StoreIdError, StoreKey},
    options::Durability,
    storage::{
        catalog,
        folder::{self, remove_if_there},
        kept::KEPT_WAL,
        lock::{Lock, LockError, Marker, beside, lock_path},
        sqlite::{Access, Connection, Place},
    },
    store::{Engine, NoHost, OpenRequest, StoreName, discard_new},
    telemetry::Happened,
};

/// A store that a data dir holds, of a definition with ids of type `K`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredStore<K = StoreId> {
    /// Its id as text.
    pub id: StoreId,
    /// Its id as the definition has it; an error when the id does not fit the key's pattern, because the pattern was another when the
    /// store was made. That of a singleton definition has no key: `get_singleton` opens it.
    pub key: Result<K, StoreIdError>,
    /// Its file.
    pub file: PathBuf,
    /// Events that its backend does not have; `None` while that is not known: the store is open, or was when its process ended.
    pub unsent: Option<u64>,
}

impl StoredStore {
    pub(super) fn typed<K: StoreKey>(self) -> StoredStore<K> {
        let Self { id, file, unsent, .. } = self;
        StoredStore { key: K::from_store_id(&id), id, file, unsent }
    }
}

/// The stores of a definition that are in the data dir, by id.
pub(crate) async fn stored(shared: Arc<Shared>, kind: &'static Kind) -> Result<Vec<StoredStore>, LoadError> {
    shared.lock().claim_name(kind)?;
    let Some(layout) = shared.layout.clone() else { return Ok(Vec::new()) };
    let reading = Arc::clone(&shared);
    let read = shared.runtime.spawn_blocking(move || {
        let found = reading.catalog.stored(kind.name)?;
        let stored = found.into_iter().map(|entry| StoredStore {
            file: layout.stores().join(&entry.file),
            key: Ok(entry.id.clone()),
            id: entry.id,
            unsent: entry.unsent,
        });
        // An entry comes before its file, so one without is a store that a crash kept from being made.
        Ok(stored.filter(|stored| stored.file.exists()).collect())
    });
    let failed = |message: String| LoadError::Catalog { definition: kind.name, file: shared.catalog_path(), message };
    let read = read.await.map_err(|panicked| failed(panicked.into_message()))?;
    read.map_err(|error: crate::storage::sqlite::SqliteError| failed(error.to_string()))
}

/// The ids of all stores of a definition: in the data dir, and loaded in memory.
pub(crate) async fn all_ids(shared: &Arc<Shared>, kind: &'static Kind) -> Result<Vec<StoreId>, LoadError> {
    let mut ids: Vec<_> = stored(Arc::clone(shared), kind).await?.into_iter().map(|stored| stored.id).collect();
    let state = shared.lock();
    let of_kind = state.slots.iter().filter(|(_, slot)| slot.kind.type_id == kind.type_id);
    let in_memory = of_kind.filter(|(_, slot)| slot.plan.in_memory && slot.loaded.is_some());
    ids.extend(in_memory.map(|(_, slot)| slot.name.id().clone()));
    drop(state);
    ids.sort();
    ids.dedup();
    Ok(ids)
}

/// A store that is to be deleted: await it. `false` when there was none.
#[must_use = "nothing is deleted until this is awaited"]
pub struct DeleteStore<D> {
    shared: Arc<Shared>,
    id: Option<Result<StoreId, StoreIdError>>,
    forced: bool,
    work: Option<BoxFuture<'static, Result<bool, DeleteError>>>,
    types: PhantomData<fn() -> D>,
}

impl<D: StoreDefinition> DeleteStore<D> {
    pub(super) fn new(shared: &Arc<Shared>, id: Result<StoreId, StoreIdError>) -> Self {
        Self { shared: Arc::clone(shared), id: Some(id), forced: false, work: None, types: PhantomData }
    }

    /// Deletes the store also when it has events that its backend does not have: they are lost.
    pub fn forced(mut self) -> Self {
        self.forced = true;
        self
    }
}

impl<D: StoreDefinition> Future for DeleteStore<D> {
    type Output = Result<bool, DeleteError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(id) = this.id.take() {
            let kind = kind::<D>();
            match id {
                Err(source) => return Poll::Ready(Err(DeleteError::Id { definition: kind.name, source })),
                Ok(id) => this.work = Some(Box::pin(delete(Arc::clone(&this.shared), kind, id, this.forced))),
            }
        }
        this.work.as_mut().map_or(Poll::Pending, |work| work.as_mut().poll(context))
    }
}

impl<D> fmt::Debug for DeleteStore<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DeleteStore").field("forced", &self.forced).finish_non_exhaustive()
    }
}

async fn delete(shared: Arc<Shared>, kind: &'static Kind, id: StoreId, forced: bool) -> Result<bool, DeleteError> {
    let name = StoreName::new(kind.name, id);
    let plan = Arc::new(shared.plan(kind, &Call::default(), &shared.defaults()));
    let mut was_in_memory = false;
    let at = loop {
        match reserve(&shared, kind, &name, forced, &plan)? {
            Reserved::At(at) => break at,
            // An error of closing is logged where it happens; the files go anyway.
            Reserved::After { closing, in_memory } => {
                was_in_memory |= in_memory;
                drop(closing.await);
            }
        }
    };
    let reserved = Reservation::new(&shared, at);
    let (work, store) = (Arc::clone(&shared), name.clone());
    let deleted = shared.runtime.spawn_blocking(move || {
        let deleted = delete_files(&work, kind, &store, forced).map(|deleted| deleted || was_in_memory);
        if let Ok(true) = deleted {
            work.followers.changed(&store);
            work.happened(|| Happened::Deleted(store));
        }
        drop(reserved);
        deleted
    });
    deleted.await.map_err(|panicked| DeleteError::Storage { store: name, message: panicked.into_message() })?
}

enum Reserved {
    At(u32),
    /// A store in memory is gone when it is closed.
    After {
        closing: Evict,
        in_memory: bool,
    },
}

/// Keeps everybody from the store; an idle one is closed first.
fn reserve(
    shared: &Arc<Shared>,
    kind: &'static Kind,
    name: &StoreName,
    forced: bool,
    plan: &Arc<super::plan::Plan>,
) -> Result<Reserved, DeleteError> {
    shared.with(|state, actions| {
        if state.shut_down {
            return Err(DeleteError::ShutDown { store: name.clone() });
        }
        state.claim_name(kind).map_err(|error| DeleteError::Definition(Box::new(error)))?;
        let Some(at) = state.slots.find(kind.type_id, name.id()) else {
            return Ok(Reserved::At(state.reserve(kind, name.clone(), Arc::clone(plan))));
        };
        let Some(slot) = state.slots.get(at) else { return Err(DeleteError::ShutDown { store: name.clone() }) };
        let counted = slot.loaded.as_ref().map_or(0, |loaded| loaded.core().observers());
        // Of these, the registry itself.
        let observers = slot.entry.waiters() + counted - usize::from(slot.pinned.is_some() && counted > 0);
        let unsent = slot.loaded.as_ref().map_or(0, |loaded| loaded.core().engine.unsent_events());
        match slot.entry.phase() {
            Phase::Closing if slot.entry.waiters() == 0 => {
                Ok(Reserved::After { closing: Evict::new(slot.closing.clone()), in_memory: false })
            }
            _ if observers > 0 && !slot.hidden => Err(DeleteError::Observed { store: name.clone(), observers }),
            // It stays loaded, and is still being sent.
            _ if unsent > 0 && !forced => Err(DeleteError::Unsent { store: name.clone(), events: unsent }),
            _ => {
                let in_memory = slot.plan.in_memory && slot.loaded.is_some();
                Ok(Reserved::After { closing: Evict::new(state.evict(at, &Reason::Evict, actions)), in_memory })
            }
        }
    })
}

/// A (definition, id) out of use, until it is dropped.
pub(super) struct Reservation {
    shared: Arc<Shared>,
    at: u32,
}

impl Reservation {
    /// Of a (definition, id) that is not in the registry.
    pub(super) fn new(shared: &Arc<Shared>, at: u32) -> Self {
        Self { shared: Arc::clone(shared), at }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.with(|state, actions| state.released(self.at, actions));
    }
}

fn delete_files(
    shared: &Arc<Shared>,
    kind: &'static Kind,
    name: &StoreName,
    forced: bool,
) -> Result<bool, DeleteError> {
    let failed =
        |message: &dyn fmt::Display| DeleteError::Storage { store: name.clone(), message: message.to_string() };
    let Some(layout) = &shared.layout else { return Ok(false) };
    let file = layout.store(name.definition(), name.id());
    let known = shared.catalog.get(name.definition(), name.id()).map_err(|error| failed(&error))?;
    if known.is_none() && !file.exists() {
        return Ok(false);
    }
    if !forced {
        let had_backend = known.as_ref().is_some_and(|entry| entry.had_backend);
        let unsent = match known.and_then(|entry| entry.unsent) {
            Some(events) => events,
            None => count_unsent(shared, kind, name, had_backend)?,
        };
        if unsent > 0 {
            return Err(DeleteError::Unsent { store: name.clone(), events: unsent });
        }
    }
    if file.exists() || lock_path(&file).exists() {
        let lock = Lock::acquire(&file).map_err(|error| match error {
            LockError::Held(holder) => DeleteError::Locked { store: name.clone(), holder },
            LockError::Symlink => failed(&"its lock file is a symlink"),
            LockError::Io(error) => failed(&error),
        })?;
        remove(&file, lock).map_err(|error| failed(&error))?;
    }
    shared.catalog.remove(name.definition(), name.id()).map_err(|error| failed(&error))?;
    Ok(true)
}

/// Opens a store of which nobody knows, without `on_load`, and closes it again. One that never had a backend, and would have none now, has
/// nothing unsent; one that had is owed to it, whatever the options say now.
fn count_unsent(
    shared: &Arc<Shared>,
    kind: &'static Kind,
    name: &StoreName,
    had_backend: bool,
) -> Result<u64, DeleteError> {
    let plan = shared.plan(kind, &Call::default(), &shared.defaults());
    if plan.resolved.sync.is_none() && !had_backend {
        // A catalog that was made anew does not know.
        let file = shared.layout.as_ref().map(|layout| layout.store(name.definition(), name.id()));
        if !file.is_some_and(|file| catalog::had_backend(&file)) {
            return Ok(0);
        }
    }
    let open = || -> Result<u64, LoadError> {
        let (engine, _) = Engine::open(OpenRequest {
            model: shared.models.of(kind)?,
            name: name.clone(),
            place: file_of(shared, name)?,
            create: false,
            options: Arc::clone(&plan.resolved),
            client: Arc::clone(&shared.client),
            session_id: shared.session_id.clone(),
            readers: Arc::clone(&shared.readers),
            runtime: shared.runtime.clone(),
            cancel: tokio_util::sync::CancellationToken::new(),
            progress: Arc::new(|_| {}),
            host: Arc::new(NoHost),
        })?;
        let unsent = engine.unconfirmed();
        // What it held is about to be deleted, or stays as it was.
        let _ = engine.close();
        Ok(unsent)
    };
    let unknown = |error: LoadError| DeleteError::Unknown { store: name.clone(), source: Box::new(error) };
    let unsent = match open() {
        Err(LoadError::NotFound { .. }) => 0,
        opened => opened.map_err(unknown)?,
    };
    // Known from now on; if this cannot be written it is asked for again.
    let _ = shared.catalog.set_unsent(name.definition(), name.id(), Some(unsent));
    Ok(unsent)
}

/// Removes a store's files in an order in which a crash leaves a whole store or none.
fn remove(file: &Path, mut lock: Lock) -> io::Result<()> {
    if beside(file, "-wal").exists() {
        // Moves what is in the `-wal` into the file, so that no `-wal` outlives it. A damaged store cannot, and goes as it is.
        let access = Access::Writer { create: false, durability: Durability::Process };
        let _ = Connection::open(&Place::File(file.to_owned()), access).and_then(Connection::close);
    }
    // On disk in this order too: a file or a `-wal` that is missing without these words is damage.
    lock.mark(Marker::FRESH)?;
    lock.sync()?;
    remove_if_there(&beside(file, "-wal"))?;
    folder::sync(folder::of(file))?;
    for ending in ["", "-shm", KEPT_WAL] {
        remove_if_there(&beside(file, ending))?;
    }
    // Of one that was killed.
    discard_new(file)?;
    // Elsewhere a locked file cannot be removed.
    if cfg!(not(unix)) {
        drop(lock);
        return remove_if_there(&lock_path(file));
    }
    remove_if_there(&lock_path(file))?;
    drop(lock);
    Ok(())
}
