//! Following the sources of a projection: which have something new, and taking that over.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, PoisonError, Weak},
    task::{Wake, Waker},
};

use tokio::sync::Notify;

use super::reading::Reading;
use crate::{
    across::FailedStore,
    error::{AcrossError, CommitErrorKind, LoadError},
    id::StoreId,
    primitives::Mutex,
    registry::{Follower, InStore, Kind, LoadRef, Shared, StoreRegistry, loaded_engines, stored, visit},
    seeded,
    store::{CommitWatch, Engine, FromSource, Position, file_stamp, stored_positions},
};

/// Sources that are read, and whose events are taken over, in one transaction.
const TOGETHER: usize = 128;

/// What follows the sources of one loaded projection.
#[derive(Clone)]
pub(super) struct Following(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    /// The load of the projection, while it runs.
    parent: Option<LoadRef>,
    source: &'static Kind,
    /// The projection's own store.
    engine: Arc<Engine>,
    marks: Arc<Marks>,
    /// How far each source was read; held by whoever reads on.
    positions: tokio::sync::Mutex<Option<HashMap<StoreId, Position>>>,
    failed: Mutex<BTreeMap<StoreId, AcrossError>>,
    /// Hears of the sources as long as the projection is loaded.
    follower: Mutex<Option<Arc<dyn Follower>>>,
}

impl Following {
    /// Hears of the sources from now on. Nothing is read yet.
    pub(super) fn begin(registry: &StoreRegistry, source: &'static Kind, engine: &Arc<Engine>) -> Self {
        let marks = Arc::new(Marks::default());
        let follower: Arc<dyn Follower> = Arc::new(Sources { marks: Arc::clone(&marks), watches: Mutex::default() });
        let shared = Arc::clone(registry.shared());
        shared.followers.add(source.name, &follower);
        // After that, so that none is missed.
        for loaded in loaded_engines(&shared, source) {
            follower.loaded(loaded.name().id(), &loaded);
        }
        let inner = Arc::new(Inner {
            parent: registry.parent,
            source,
            engine: Arc::clone(engine),
            marks: Arc::clone(&marks),
            positions: tokio::sync::Mutex::default(),
            failed: Mutex::default(),
            follower: Mutex::new(Some(follower)),
            shared,
        });
        inner.shared.runtime.spawn(follow(Arc::downgrade(&inner), marks));
        Self(inner)
    }

    /// Takes over whatever any source has that the projection has not.
    pub(super) async fn catch_up_all(&self) -> Result<(), AcrossError> {
        self.0.catch_up(Extent::All).await
    }

    /// Forgets all rows, source by source, and makes them anew.
    pub(super) async fn rebuild(&self) -> Result<(), AcrossError> {
        self.0.catch_up(Extent::Anew).await
    }

    /// The sources that could not be read when that was last tried.
    pub(super) fn failed(&self) -> Vec<FailedStore> {
        let failed = self.0.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.iter().map(|(id, error)| FailedStore { id: id.clone(), error: error.clone() }).collect()
    }
}

/// Reads on whenever a source has something new, until the projection is closed.
async fn follow(inner: Weak<Inner>, marks: Arc<Marks>) {
    loop {
        marks.notify.notified().await;
        let Some(inner) = inner.upgrade() else { return };
        if marks.is_over() || inner.engine.stopped().is_some() {
            return;
        }
        if let Err(error) = inner.catch_up(Extent::Marked).await {
            let projection = inner.engine.name().definition();
            tracing::warn!(projection, %error, "the projection does not follow its sources; it tries again at the next event");
        }
    }
}

/// Which sources are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// Those that have committed since.
    Marked,
    /// And those whose files have changed.
    All,
    /// All of them, from the first event.
    Anew,
}

impl Inner {
    async fn catch_up(&self, extent: Extent) -> Result<(), AcrossError> {
        let mut positions = self.positions.lock().await;
        if positions.is_none() || extent == Extent::Anew {
            *positions = Some(self.load_positions().await?);
        }
        let Some(positions) = positions.as_mut() else { return Ok(()) };
        // Whatever is marked from now on is read again.
        let mut marked = self.marks.take();
        if extent != Extent::Marked {
            marked.extend(self.changed(positions, extent).await.inspect_err(|_| self.marks.add_all(&marked))?);
        }
        let mut rest: Vec<StoreId> = marked.into_iter().collect();
        while !rest.is_empty() {
            let behind = rest.split_off(rest.len().min(TOGETHER));
            match self.read(&rest, positions, extent == Extent::Anew).await {
                Ok(more) => rest = [more, behind].concat(),
                Err(error) => {
                    self.marks.add_all(rest.iter().chain(&behind));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn load_positions(&self) -> Result<HashMap<StoreId, Position>, AcrossError> {
        let engine = Arc::clone(&self.engine);
        let loaded = self.shared.runtime.spawn_blocking(move || stored_positions(&engine));
        Ok(loaded.await.map_err(|panic| self.panicked(panic.into_message()))??.into_iter().collect())
    }

    /// The sources whose files are not as they were read, and those that are gone.
    async fn changed(
        &self,
        positions: &HashMap<StoreId, Position>,
        extent: Extent,
    ) -> Result<Vec<StoreId>, AcrossError> {
        let listed = stored(Arc::clone(&self.shared), self.source).await?;
        let known: HashMap<StoreId, String> =
            positions.iter().map(|(id, position)| (id.clone(), position.stamp.clone())).collect();
        let compare = move || {
            let mut gone: BTreeSet<StoreId> = known.keys().cloned().collect();
            let mut changed = Vec::new();
            for stored in listed {
                gone.remove(&stored.id);
                let stamp = known.get(&stored.id).filter(|stamp| !stamp.is_empty());
                let is_same = extent == Extent::All && stamp.is_some() && stamp == file_stamp(&stored.file).as_ref();
                if !is_same {
                    changed.push(stored.id);
                }
            }
            changed.extend(gone);
            changed
        };
        let mut changed =
            self.shared.runtime.spawn_blocking(compare).await.map_err(|panic| self.panicked(panic.into_message()))?;
        changed.extend(loaded_engines(&self.shared, self.source).iter().map(|engine| engine.name().id().clone()));
        Ok(changed)
    }

    /// Reads on in some sources, and takes over what is new. Those that have more.
    async fn read(
        &self,
        ids: &[StoreId],
        positions: &mut HashMap<StoreId, Position>,
        anew: bool,
    ) -> Result<Vec<StoreId>, AcrossError> {
        let before = |id: &StoreId| positions.get(id).filter(|_| !anew).cloned();
        let reading = Arc::new(Reading::new(ids.iter().map(|id| (id.clone(), before(id))).collect()));
        let stores = ids.iter().cloned().enumerate().collect();
        let work = Arc::clone(&reading) as Arc<dyn InStore>;
        let refused: BTreeMap<_, _> =
            visit(&self.shared, self.parent, self.source, stores, work).await?.into_iter().collect();
        let mut found = reading.take();
        for from in &mut found {
            // Rows of before are made anew.
            from.read.iter_mut().for_each(|read| read.reset |= anew);
        }
        for (number, error) in &refused {
            let is_gone = matches!(error, AcrossError::Load(LoadError::NotFound { .. }));
            if is_gone && positions.contains_key(&ids[*number]) {
                found.push(FromSource { id: ids[*number].clone(), read: None, stamp: String::new() });
            }
        }
        self.note_failed(ids, &refused);
        let more = found.iter().filter(|from| from.read.as_ref().is_some_and(|read| read.more));
        let more: Vec<StoreId> = more.map(|from| from.id.clone()).collect();
        if !found.is_empty() {
            self.take_over(found, positions).await?;
        }
        // The rest of a source that is made anew follows on what there is now.
        if anew && !more.is_empty() {
            Box::pin(self.read_rest(more, positions)).await?;
            return Ok(Vec::new());
        }
        Ok(more)
    }

    async fn read_rest(
        &self,
        mut rest: Vec<StoreId>,
        positions: &mut HashMap<StoreId, Position>,
    ) -> Result<(), AcrossError> {
        while !rest.is_empty() {
            rest = self.read(&rest, positions, false).await?;
        }
        Ok(())
    }

    fn note_failed(&self, ids: &[StoreId], refused: &BTreeMap<usize, AcrossError>) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, id) in ids.iter().enumerate() {
            match refused.get(&number) {
                // One that is gone is no source any more.
                None | Some(AcrossError::Load(LoadError::NotFound { .. })) => failed.remove(id),
                Some(error) => failed.insert(id.clone(), error.clone()),
            };
        }
    }

    async fn take_over(
        &self,
        found: Vec<FromSource>,
        positions: &mut HashMap<StoreId, Position>,
    ) -> Result<(), AcrossError> {
        let engine = Arc::clone(&self.engine);
        let heads: Vec<_> = found
            .iter()
            .map(|from| (from.id.clone(), from.read.as_ref().map(|read| (read.head, from.stamp.clone()))))
            .collect();
        let written = self.shared.runtime.spawn_blocking(move || engine.project(found));
        let written = written.await.map_err(|panic| self.panicked(panic.into_message()))?;
        written.map_err(|kind| self.not_written(*kind))?;
        for (id, read) in heads {
            match read {
                // What failed is counted in the store, and asked for there.
                Some((head, stamp)) => drop(positions.insert(id, Position { head, stamp, failed: 0, reason: None })),
                None => drop(positions.remove(&id)),
            }
        }
        Ok(())
    }

    fn not_written(&self, kind: CommitErrorKind) -> AcrossError {
        AcrossError::NotProjected { projection: self.engine.name().clone(), source: Arc::new(kind) }
    }

    fn panicked(&self, message: String) -> AcrossError {
        AcrossError::Panicked { definition: self.source.name, message }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(follower);
        // The task finds it gone and ends.
        self.marks.notify.notify_one();
    }
}

/// Which sources have something new.
#[derive(Default)]
struct Marks {
    marked: Mutex<(BTreeSet<StoreId>, bool)>,
    notify: Notify,
}

impl Marks {
    fn mark(&self, id: &StoreId) {
        self.marked.lock().unwrap_or_else(PoisonError::into_inner).0.insert(id.clone());
        if !seeded::bug("projection-does-not-follow") {
            self.notify.notify_one();
        }
    }

    /// To be read at the next occasion.
    fn add_all<'a>(&self, ids: impl IntoIterator<Item = &'a StoreId>) {
        self.marked.lock().unwrap_or_else(PoisonError::into_inner).0.extend(ids.into_iter().cloned());
    }

    fn take(&self) -> BTreeSet<StoreId> {
        std::mem::take(&mut self.marked.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    fn is_over(&self) -> bool {
        self.marked.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// Marks one source when it is woken.
struct Mark {
    marks: Arc<Marks>,
    id: StoreId,
}

impl Wake for Mark {
    fn wake(self: Arc<Self>) {
        self.marks.mark(&self.id);
    }
}

/// Hears of the sources.
struct Sources {
    marks: Arc<Marks>,
    watches: Mutex<Vec<CommitWatch>>,
}

impl Follower for Sources {
    fn loaded(&self, id: &StoreId, engine: &Arc<Engine>) {
        let waker = Waker::from(Arc::new(Mark { marks: Arc::clone(&self.marks), id: id.clone() }));
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        if watches.len().is_power_of_two() {
            watches.retain(|watch| !watch.is_over());
        }
        watches.push(CommitWatch::new(engine, &waker));
        drop(watches);
        self.marks.mark(id);
    }

    fn changed(&self, id: &StoreId) {
        self.marks.mark(id);
    }

    fn over(&self) {
        self.marks.marked.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.marks.notify.notify_one();
    }
}
