//! Queries over many stores of a definition, loaded or not.
//!
//! `registry/visit.rs` goes to each store and asks its part (`query/union.rs`) on one consistent state; the parts meet in a table in memory
//! (`gather`), of which the rest of the query is asked. A subscription (`live`) keeps that table, and asks again only those stores whose
//! rows have changed.

mod each;
mod gather;
mod live;

use std::{fmt, marker::PhantomData, sync::Arc};

pub use live::AcrossSubscription;

use self::{each::Each, gather::Gather};
use crate::{
    definition::{BoxFuture, StoreDefinition},
    error::{AcrossError, LoadError},
    id::{StoreId, StoreIdError, StoreKey},
    query::{Fits, Query, UnionQuery},
    registry::{LoadRef, Shared, StoreRegistry, kind, visit},
};

/// Many stores of definition `D`, to be asked together: from [`StoreRegistry::across`] and [`StoreRegistry::across_all`].
///
/// [`query`](Self::query) asks the union of them: order, limit and aggregates are of the rows of all stores, and each row comes with the id
/// of its store. [`each`](Self::each) asks each store for itself. Both only read:
///
/// - Every store answers on one consistent state of its own. There is none of all stores: while one is read another may be written.
/// - A loaded store is asked as it is. A closed one is read as its file lies: it is not loaded, takes no place of the registry, and nobody
///   hears of it; a `get` waits until it was read. What cannot be read so is loaded: a store whose tables are of an older schema, which are
///   rebuilt, and one that was not closed cleanly.
/// - A store that is not there, is open in another process or cannot be loaded is listed in [`Gathered::failed`], beside the rows of the
///   others. None is made.
///
/// What the stores answer is held in memory: all rows that meet the filter, or the first ones of each store where there is a limit. SQL of
/// `queries { .. }` reads a whole table of every store, and may read one table only, because rows of different stores would meet in it:
/// [`QueryErrorKind::SeveralTables`](crate::QueryErrorKind::SeveralTables) says so, and `each` takes it.
#[must_use = "nothing is asked before `query`, `each` or `subscribe`"]
pub struct Across<D: StoreDefinition> {
    shared: Arc<Shared>,
    parent: Option<LoadRef>,
    /// All there are when `None`.
    ids: Option<Vec<Result<StoreId, StoreIdError>>>,
    types: PhantomData<fn() -> D>,
}

/// What many stores have answered.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Gathered<T> {
    /// The result, made of the stores that have answered.
    pub value: T,
    /// The stores that have not, in the order asked for.
    pub failed: Vec<FailedStore>,
    /// How many have answered.
    pub stores: usize,
}

/// Many stores that are being asked: await it. Nothing happens before that.
pub type Gathering<T> = BoxFuture<'static, Result<Gathered<T>, AcrossError>>;

/// A store that has not answered, and why.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FailedStore {
    /// Which store.
    pub id: StoreId,
    /// Why not.
    pub error: AcrossError,
}

impl PartialEq for FailedStore {
    /// Errors that say the same are the same.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.error.to_string() == other.error.to_string()
    }
}

impl<D: StoreDefinition> Across<D> {
    pub(crate) fn of(registry: &StoreRegistry, ids: Vec<Result<StoreId, StoreIdError>>) -> Self {
        Self { ids: Some(ids), ..Self::of_all(registry) }
    }

    pub(crate) fn of_all(registry: &StoreRegistry) -> Self {
        Self { shared: Arc::clone(registry.shared()), parent: registry.parent, ids: None, types: PhantomData }
    }

    /// Asks the union of the stores. [`UnionQuery`] says what comes back of which query. Rows that an order leaves equal come in the order of
    /// the ids.
    ///
    /// # Errors
    /// What keeps the whole from a result: an id that is none, a query that is not valid ([`AcrossError::Union`]), code of the app that
    /// panics. The error of a store is in [`Gathered::failed`].
    pub fn query<Q>(self, query: Q) -> Gathering<Q::Union>
    where
        Q: UnionQuery<D::Id> + Fits<D> + Send + Sync + 'static,
    {
        Box::pin(async move {
            let ids = self.ids().await?;
            let gather = Arc::new(Gather::new::<D>(Arc::new(query), &ids)?);
            let failed = self.visit(&ids, Arc::clone(&gather) as _).await?;
            let asking = self.shared.runtime.spawn_blocking(move || gather.ask());
            let (value, _) = asking.await.map_err(|panic| panicked::<D>(panic.into_message()))??;
            Ok(Gathered { value, stores: ids.len() - failed.len(), failed })
        })
    }

    /// Asks each store for itself, on the blocking pool, and gives each answer with its store's id, in the order of the ids.
    ///
    /// ```no_run
    /// # use larder::{prelude::*, AcrossError, StoreDefinition};
    /// # #[derive(Table)]
    /// # struct Issue { #[table(primary_key)] number: i64 }
    /// # async fn example<Workspace>(registry: StoreRegistry) -> Result<(), AcrossError>
    /// # where Workspace: StoreDefinition<Id = StoreId>, Workspace::Schema: HasTable<Issue> {
    /// for (workspace, issues) in registry.across_all::<Workspace>().each(Issue::all().count()).await?.value {
    ///     println!("{workspace} has {issues} issues");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As of [`query`](Self::query). A query that a store refuses, such as a [`NotOne`](crate::QueryErrorKind::NotOne), is an error of that
    /// store.
    pub fn each<Q>(self, query: Q) -> Gathering<Vec<(D::Id, Q::Output)>>
    where
        Q: Query + Fits<D> + Send + Sync + 'static,
    {
        Box::pin(async move {
            let ids = self.ids().await?;
            let each = Arc::new(Each::new(query));
            let failed = self.visit(&ids, Arc::clone(&each) as _).await?;
            let key = |id: &StoreId| D::Id::from_store_id(id).map_err(|source| id_error::<D>(source));
            let answers = each.take();
            let stores = answers.len();
            let value = answers.into_iter().map(|(number, answer)| Ok((key(&ids[number])?, answer)));
            Ok(Gathered { value: value.collect::<Result<_, AcrossError>>()?, failed, stores })
        })
    }

    /// The union, live: the result now, then each different one.
    ///
    /// It hears of what stores of this registry commit, of stores that are deleted, and of ids whose stores are made later; over
    /// [all stores](StoreRegistry::across_all) also of new ones. Only the stores whose rows can have changed are read again, when it is
    /// polled. Of what another process writes it hears when that store is loaded here. It holds no store loaded.
    ///
    /// # Errors
    /// As of [`query`](Self::query), each time that it is polled. It ends when the registry is shut down.
    pub fn subscribe<Q>(self, query: Q) -> AcrossSubscription<Q::Union>
    where
        Q: UnionQuery<D::Id> + Fits<D> + Send + Sync + 'static,
    {
        live::subscribe(self, query)
    }

    async fn visit(
        &self,
        ids: &[StoreId],
        work: Arc<dyn crate::registry::InStore>,
    ) -> Result<Vec<FailedStore>, AcrossError> {
        let all = ids.iter().cloned().enumerate().collect();
        let failed = visit(&self.shared, self.parent, kind::<D>(), all, work).await?;
        Ok(failed.into_iter().map(|(number, error)| FailedStore { id: ids[number].clone(), error }).collect())
    }

    /// The stores to ask, each once.
    async fn ids(&self) -> Result<Vec<StoreId>, AcrossError> {
        let Some(ids) = &self.ids else {
            return Ok(crate::registry::all_ids(&self.shared, kind::<D>()).await?);
        };
        let mut seen = hashbrown::HashSet::with_capacity(ids.len());
        let mut once = Vec::with_capacity(ids.len());
        for id in ids {
            let id = id.clone().map_err(id_error::<D>)?;
            D::Id::from_store_id(&id).map_err(id_error::<D>)?;
            if seen.insert(id.clone()) {
                once.push(id);
            }
        }
        Ok(once)
    }
}

fn id_error<D: StoreDefinition>(source: StoreIdError) -> AcrossError {
    LoadError::Id { definition: D::NAME, source }.into()
}

/// The error of a task that panicked.
fn panicked<D: StoreDefinition>(message: String) -> AcrossError {
    AcrossError::Panicked { definition: D::NAME, message }
}

impl<D: StoreDefinition> fmt::Debug for Across<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stores = self.ids.as_ref().map(Vec::len);
        formatter.debug_struct("Across").field("definition", &D::NAME).field("stores", &stores).finish()
    }
}
