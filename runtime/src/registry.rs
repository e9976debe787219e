//! The registry: opens, shares, keeps and disposes stores.
//!
//! `state` is what it knows, behind one short lock (`shared`); `entry` is the life of one store as a pure machine. The app's code
//! (options, hooks, backends, wakers) runs without the lock, in `load`, `close`, `unsent` and the futures.

use std::{fmt, sync::Arc, time::Duration};

mod builder;
mod capacity;
mod cell;
mod close;
mod context;
mod cycle;
mod entered;
mod entry;
mod evict;
mod existing;
mod followers;
mod get;
mod handle;
mod host;
mod idle;
mod join;
mod kind;
mod load;
mod open;
mod places;
mod plan;
mod preload;
#[cfg(all(test, larder_shuttle))]
mod races;
mod shared;
mod shutdown;
mod slot;
mod state;
mod stats;
mod stored;
mod syncing;
mod timer;
mod timers;
mod unsent;
mod visit;
mod watch;

pub use self::{
    builder::RegistryBuilder,
    context::LoadContext,
    evict::{Clear, Evict},
    get::Get,
    handle::StoreHandle,
    open::OpenOptions,
    preload::Preload,
    shutdown::{ShutdownReport, StoreEnd, StoreShutdown},
    stats::{RegistryStats, RegistryWatch, StoreState, StoreStats, StoreSync},
    stored::{DeleteStore, StoredStore},
};
pub(crate) use self::{
    followers::Follower,
    handle::LoadRef,
    kind::{Kind, kind},
    shared::Shared,
    stored::{all_ids, stored},
    visit::loaded_engines,
    visit::{InStore, visit},
};
use self::{kind::typed, state::Reason};
use crate::{
    Timestamp,
    across::Across,
    definition::{BoxFuture, ProjectionDefinition, SingletonDefinition, StoreDefinition},
    error::LoadError,
    event::{ClientId, SessionId},
    id::IntoStoreId,
    options::StoreOptions,
    projection::{self, OpenProjection},
    sync::NetworkStatus,
};

/// Opens, shares, keeps and disposes stores. Cheap to clone; all clones are one registry.
///
/// A store is loaded when it is first asked for, shared by all who ask, stays loaded while there is a handle, and for its
/// [`GcTime`](crate::GcTime) after the last one. When the last clone of the registry is dropped all its stores are closed, in the
/// background, and handles answer [`StoreError::Closed`](crate::StoreError::Closed); [`shutdown`](Self::shutdown) does the same and
/// says how it went.
#[derive(Clone)]
pub struct StoreRegistry {
    shared: Arc<Shared>,
    /// `None` in the view of a load, which does not keep the registry alive.
    owner: Option<Arc<Owner>>,
    /// The load that asks through this view.
    pub(crate) parent: Option<LoadRef>,
}

/// Closes everything when the last clone of a registry is dropped.
pub(crate) struct Owner {
    shared: Arc<Shared>,
}

impl Owner {
    fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared) }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

impl StoreRegistry {
    /// A registry to be built: say at least [`data_dir`](RegistryBuilder::data_dir) or [`in_memory`](RegistryBuilder::in_memory).
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    fn owner(owner: Arc<Owner>) -> Self {
        Self { shared: Arc::clone(&owner.shared), owner: Some(owner), parent: None }
    }

    fn view(shared: &Arc<Shared>, parent: LoadRef) -> Self {
        Self { shared: Arc::clone(shared), owner: None, parent: Some(parent) }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn into_owner(self) -> Option<Arc<Owner>> {
        self.owner
    }

    /// The store with this id: loads it, or joins whoever loads it, or gives the loaded one at once. Options of the call may be
    /// chained before it is awaited.
    ///
    /// ```no_run
    /// # use larder::{prelude::*, StoreDefinition, LoadError};
    /// # async fn example<IssueStore: StoreDefinition<Id = StoreId>>(registry: StoreRegistry) -> Result<(), LoadError> {
    /// let issue = registry.get::<IssueStore>("issue:7").gc_time(GcTime::seconds(10)).await?;
    /// # drop(issue);
    /// # Ok(()) }
    /// ```
    ///
    /// A store that is not there is made; [`existing`](Get::existing) opens only what is there.
    ///
    /// # Errors
    /// [`LoadError`], when it is awaited: why the store cannot be opened. All who wait for one load get the same error, and the next
    /// `get` tries again.
    pub fn get<D: StoreDefinition>(&self, id: impl IntoStoreId<D, D::Id>) -> Get<D> {
        Get::new(&self.shared, self.parent, id.into_store_id())
    }

    /// The one store of a definition that is marked `singleton: ".."`.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    pub fn get_singleton<D: SingletonDefinition>(&self) -> Get<D> {
        Get::new(&self.shared, self.parent, D::STORE_ID.parse())
    }

    /// Whether the registry's stores may use the network, and which backends can be reached.
    pub fn network(&self) -> NetworkStatus {
        self.shared.network.clone()
    }

    /// A handle if the store is loaded; nothing changes if it is not. What is no id is `None`.
    pub fn try_get<D: StoreDefinition>(&self, id: impl IntoStoreId<D, D::Id>) -> Option<StoreHandle<D>> {
        let loaded = self.shared.observe(kind::<D>(), &id.into_store_id().ok()?)?;
        if let Some(parent) = self.parent {
            self.shared.note_child(parent, loaded.core().load);
        }
        typed::<D>(loaded).map(StoreHandle::counted)
    }

    /// Whether there is such a store, loaded or not. Changes nothing; to open only what exists, [`existing`](Get::existing) is better
    /// than asking before.
    ///
    /// # Errors
    /// [`LoadError::Id`] when it is no id, [`LoadError::DefinitionConflict`] when another type has the name.
    pub fn exists<D: StoreDefinition>(
        &self,
        id: impl IntoStoreId<D, D::Id>,
    ) -> BoxFuture<'static, Result<bool, LoadError>> {
        let (shared, id) = (Arc::clone(&self.shared), id.into_store_id());
        Box::pin(async move {
            let id = id.map_err(|source| LoadError::Id { definition: D::NAME, source })?;
            existing::exists(shared, kind::<D>(), id).await
        })
    }

    /// Whether the store is loaded or loading. Changes nothing. What is no id is `false`.
    pub fn has<D: StoreDefinition>(&self, id: impl IntoStoreId<D, D::Id>) -> bool {
        id.into_store_id().is_ok_and(|id| self.shared.has(kind::<D>(), &id))
    }

    /// Loads the store without holding it: await it, or [`detach`](Preload::detach) it to prefetch in the background.
    ///
    /// ```no_run
    /// # use larder::{prelude::*, StoreDefinition};
    /// # fn example<IssueStore: StoreDefinition<Id = StoreId>>(registry: &StoreRegistry) {
    /// registry.preload::<IssueStore>("issue:7").gc_time(GcTime::seconds(10)).detach();
    /// # }
    /// ```
    ///
    /// # Errors
    /// As of [`get`](Self::get), when it is awaited. A detached one says nothing: the next `get` tries again, and answers.
    pub fn preload<D: StoreDefinition>(&self, id: impl IntoStoreId<D, D::Id>) -> Preload<D> {
        Preload::new(&self.shared, self.parent, id.into_store_id())
    }

    /// Takes the store out of the registry now, observed or not: its handles answer
    /// [`StoreError::Evicted`](crate::StoreError::Evicted), a load is cancelled. It takes effect at the call; the future waits until the
    /// file is closed. Nothing happens when there is no such store.
    ///
    /// # Errors
    /// [`StoreError`](crate::StoreError), when it is awaited: the file could not be closed cleanly. Nothing that was committed is lost.
    #[doc(alias = "drop")]
    pub fn evict<D: StoreDefinition>(&self, id: impl IntoStoreId<D, D::Id>) -> Evict {
        let closing = id.into_store_id().ok().and_then(|id| {
            self.shared.with(|state, actions| {
                let at = state.slots.find(kind::<D>().type_id, &id)?;
                state.evict(at, &Reason::Evict, actions)
            })
        });
        Evict::new(closing)
    }

    /// [`evict`](Self::evict) for all stores; the registry goes on.
    ///
    /// # Errors
    /// When it is awaited: the error of each store whose file could not be closed cleanly.
    pub fn clear(&self) -> Clear {
        let evictions = self.shared.with(|state, actions| {
            let all = state.slots.all();
            all.into_iter().map(|at| Evict::new(state.evict(at, &Reason::Evict, actions))).collect()
        });
        Clear { evictions, errors: Vec::new() }
    }

    /// Replaces the registry's layer of the options. Loaded stores take on what can change while they run: `sync_payload` now, the gc
    /// time when their last observer leaves.
    #[doc(alias = "updateDefaultOptions")]
    pub fn update_defaults(&self, defaults: StoreOptions) {
        let defaults = Arc::new(defaults);
        let (before, changed) = {
            let mut state = self.shared.lock();
            let before = std::mem::replace(&mut state.defaults, Arc::clone(&defaults));
            (before, state.replace_payloads())
        };
        for (open, payload) in changed {
            open.core().tell(payload);
        }
        drop(before);
        self.shared.signals.changed();
    }

    /// No new loads from now on; loading ones are cancelled; every store sends what it can until `deadline` from now and is closed,
    /// children (what an `on_load` got through its [`LoadContext`]) before their parents. A store with nothing to send is closed at once.
    /// One with unsent events tries until they are sent or the deadline comes, and waits for a connection when there is none: with a
    /// deadline of zero nothing is waited for. Takes effect at the call, and ends a second after the deadline at the latest. Where all stores
    /// were closed by then, nothing of the data dir is open any more.
    pub fn shutdown(&self, deadline: Duration) -> impl Future<Output = ShutdownReport> + Send + use<> {
        self.shared.begin_shutdown(deadline)
    }

    /// What every store is doing now.
    pub fn stats(&self) -> RegistryStats {
        self.shared.stats()
    }

    /// [`stats`](Self::stats) as a stream: now, and again after changes.
    pub fn watch(&self) -> RegistryWatch {
        RegistryWatch::new(&self.shared)
    }

    /// The definition's stores in the data dir, loaded or not, by id. Each comes with its key, as `get` takes it.
    ///
    /// ```no_run
    /// # use larder::{prelude::*, StoreDefinition, LoadError, error::BoxError};
    /// # async fn example<IssueStore: StoreDefinition>(registry: StoreRegistry) -> Result<(), BoxError> {
    /// for stored in registry.stored::<IssueStore>().await? {
    ///     let issue = registry.get::<IssueStore>(&stored.key?).await?;
    /// #   drop(issue);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`LoadError::Catalog`] when the catalog cannot be read, [`LoadError::DefinitionConflict`] when another type has the name.
    pub fn stored<D: StoreDefinition>(
        &self,
    ) -> impl Future<Output = Result<Vec<StoredStore<D::Id>>, LoadError>> + Send + use<D> {
        let stored = stored::stored(Arc::clone(&self.shared), kind::<D>());
        async { Ok(stored.await?.into_iter().map(StoredStore::typed).collect()) }
    }

    /// One query over many stores of a definition, loaded or not: see [`Across`].
    ///
    /// ```no_run
    /// # use larder::{prelude::*, AcrossError, StoreDefinition};
    /// # #[derive(Table)]
    /// # struct Issue { #[table(primary_key)] number: i64, title: String }
    /// # async fn example<Workspace>(registry: StoreRegistry) -> Result<(), AcrossError>
    /// # where Workspace: StoreDefinition<Id = StoreId>, Workspace::Schema: HasTable<Issue> {
    /// let leaks = Issue::filter(Issue::TITLE.like("%leak%")).order_by(Issue::NUMBER.desc()).limit(20);
    /// let found = registry.across::<Workspace>(["ws:1", "ws:2"]).query(leaks).await?;
    /// for (workspace, issue) in found.value {
    ///     println!("{workspace} #{} {}", issue.number, issue.title);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn across<D: StoreDefinition>(&self, ids: impl IntoIterator<Item = impl IntoStoreId<D, D::Id>>) -> Across<D> {
        Across::of(self, ids.into_iter().map(IntoStoreId::into_store_id).collect())
    }

    /// The same over all stores of a definition that there are when it is asked; a subscription takes in those that come later, too.
    pub fn across_all<D: StoreDefinition>(&self) -> Across<D> {
        Across::of_all(self)
    }

    /// The projection `P`, up to date with all stores that it is made of: see [`define_projection!`](crate::define_projection). It is loaded and
    /// shared as a store is, and follows its sources as long as it is loaded.
    ///
    /// # Errors
    /// [`LoadError`], when it is awaited: its own store cannot be loaded or written. A source that cannot be read is listed in
    /// [`ProjectionHandle::failed`](crate::ProjectionHandle::failed).
    pub fn projection<P: ProjectionDefinition>(&self) -> OpenProjection<P> {
        OpenProjection::new(Get::new(&self.shared, self.parent, projection::id()))
    }

    /// Deletes what a projection has stored; what it is made of stays. It is made again when it is asked for.
    ///
    /// # Errors
    /// As of [`delete`](Self::delete).
    pub fn delete_projection<P: ProjectionDefinition>(&self) -> DeleteStore<P> {
        DeleteStore::new(&self.shared, projection::id())
    }

    /// Deletes a store's files, for good. Refused while it is observed, and while it has events that its backend does not have unless
    /// [`forced`](DeleteStore::forced).
    ///
    /// # Errors
    /// [`DeleteError`](crate::DeleteError), when it is awaited: why nothing was deleted. A store that is not there is no error but
    /// `false`.
    pub fn delete<D: StoreDefinition>(&self, id: impl IntoStoreId<D, D::Id>) -> DeleteStore<D> {
        DeleteStore::new(&self.shared, id.into_store_id())
    }

    /// The date and time to put into an event, in whole microseconds, of the clock of the registry and its stores; see
    /// [`Store::now`](crate::Store::now).
    pub fn now(&self) -> Timestamp {
        self.shared.runtime.timestamp()
    }

    /// Who commits: one id per data dir, made once, and made anew when the data dir was copied.
    pub fn client_id(&self) -> &ClientId {
        &self.shared.client.id
    }

    /// In which session: one per process.
    pub fn session_id(&self) -> &SessionId {
        &self.shared.session_id
    }
}

impl fmt::Debug for StoreRegistry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stores = self.shared.lock().slots.iter().count();
        formatter.debug_struct("StoreRegistry").field("stores", &stores).finish_non_exhaustive()
    }
}

impl state::State {
    /// Payloads again from all layers; what is loaded, or far enough to sync, and has another one now.
    fn replace_payloads(&mut self) -> Vec<(Arc<dyn kind::AnyLoaded>, crate::options::Payload)> {
        let defaults = Arc::clone(&self.defaults);
        let mut changed = Vec::new();
        // Stores that have their options together have them so afterwards.
        let mut last: Option<(Arc<plan::Plan>, Arc<plan::Plan>)> = None;
        for at in self.slots.all() {
            let Some(slot) = self.slots.get_mut(at) else { continue };
            let payload = slot.plan.payload(&defaults);
            if payload.same(&slot.plan.resolved.sync_payload) {
                continue;
            }
            let again = last.take().filter(|(before, _)| Arc::ptr_eq(before, &slot.plan));
            let after = again.map_or_else(|| Arc::new(slot.plan.with_payload(payload.clone())), |(_, after)| after);
            last = Some((std::mem::replace(&mut slot.plan, Arc::clone(&after)), after));
            changed.extend(slot.open().map(|open| (open, payload)));
        }
        changed
    }
}
