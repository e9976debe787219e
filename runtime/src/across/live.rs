//! A live query over many stores.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use futures_core::Stream;

use super::{Across, FailedStore, Gathered, gather::Gather, panicked};
use crate::{
    definition::{BoxFuture, StoreDefinition},
    error::{AcrossError, LoadError},
    id::{StoreId, StoreKey},
    primitives::Mutex,
    query::{Fits, UnionQuery},
    registry::{Follower, InStore, kind, visit},
    store::Engine,
};

/// What one look at the stores comes to: a different result, or `None`.
type Look<T> = Result<Option<Gathered<T>>, AcrossError>;

/// A query over many stores as a stream: the current result, then each different one. From [`Across::subscribe`].
///
/// It runs when it is polled, and reads again only the stores whose rows can have changed. An error that is no store's, such as a
/// [`NotOne`](crate::QueryErrorKind::NotOne), is a result like others; it ends with one error when the registry is shut down.
#[must_use = "a subscription does nothing until it is polled"]
pub struct AcrossSubscription<T> {
    definition: &'static str,
    marks: Arc<Marks>,
    look: Box<dyn Fn() -> BoxFuture<'static, Look<T>> + Send + Sync>,
    running: Option<BoxFuture<'static, Look<T>>>,
    is_over: bool,
    /// Hears of the stores as long as the subscription lives.
    _follower: Arc<dyn Follower>,
}

/// Subscribes. Nothing is read yet.
pub(super) fn subscribe<D, Q>(across: Across<D>, query: Q) -> AcrossSubscription<Q::Union>
where
    D: StoreDefinition,
    Q: UnionQuery<D::Id> + Fits<D> + Send + Sync + 'static,
{
    let marks = Arc::new(Marks::default());
    let follower: Arc<dyn Follower> = Arc::new(Stores { marks: Arc::clone(&marks) });
    across.shared.followers.add(D::NAME, &follower);
    let kept = tokio::sync::Mutex::new(None);
    let node = Arc::new(Node { across, query: Arc::new(query), marks: Arc::clone(&marks), kept });
    let look = Box::new(move || Box::pin(look(Arc::clone(&node))) as BoxFuture<'static, _>);
    AcrossSubscription { definition: D::NAME, marks, look, running: None, is_over: false, _follower: follower }
}

impl<T> AcrossSubscription<T> {
    /// The next result; `None` after the end.
    pub async fn next(&mut self) -> Option<Result<Gathered<T>, AcrossError>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Gathered<T>, AcrossError>>> {
        loop {
            if self.is_over {
                return Poll::Ready(None);
            }
            self.marks.watch(context.waker());
            if self.marks.is_over() {
                (self.is_over, self.running) = (true, None);
                return Poll::Ready(Some(Err(AcrossError::ShutDown { definition: self.definition })));
            }
            if self.running.is_none() && !self.marks.is_marked() {
                return Poll::Pending;
            }
            let running = self.running.get_or_insert_with(&self.look);
            let Poll::Ready(looked) = running.as_mut().poll(context) else { return Poll::Pending };
            self.running = None;
            if let Some(result) = looked.transpose() {
                return Poll::Ready(Some(result));
            }
        }
    }
}

impl<T> Stream for AcrossSubscription<T> {
    type Item = Result<Gathered<T>, AcrossError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl<T> Unpin for AcrossSubscription<T> {}

impl<T> fmt::Debug for AcrossSubscription<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AcrossSubscription").field("ended", &self.is_over).finish_non_exhaustive()
    }
}

/// Which stores may have changed, and who is to look.
#[derive(Default)]
struct Marks(Mutex<Marked>);

#[derive(Default)]
struct Marked {
    stores: BTreeSet<StoreId>,
    /// Somebody has looked at all of them.
    begun: bool,
    over: bool,
    waker: Option<Waker>,
}

impl Marks {
    fn change(&self, change: impl FnOnce(&mut Marked)) {
        let mut marked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut marked);
        let waker = marked.waker.take();
        drop(marked);
        // The executor's code.
        waker.into_iter().for_each(Waker::wake);
    }

    fn mark(&self, id: &StoreId) {
        self.change(|marked| {
            marked.stores.insert(id.clone());
        });
    }

    fn watch(&self, waker: &Waker) {
        let waker = waker.clone();
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).waker.replace(waker);
        drop(before);
    }

    fn is_marked(&self) -> bool {
        let marked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !marked.begun || !marked.stores.is_empty()
    }

    fn is_over(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).over
    }

    fn take(&self) -> BTreeSet<StoreId> {
        let mut marked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        marked.begun = true;
        std::mem::take(&mut marked.stores)
    }
}

/// Marks one store when it is woken.
struct Mark {
    marks: Arc<Marks>,
    id: StoreId,
}

impl Wake for Mark {
    fn wake(self: Arc<Self>) {
        self.marks.mark(&self.id);
    }
}

/// Hears of the registry's stores.
struct Stores {
    marks: Arc<Marks>,
}

impl Follower for Stores {
    fn loaded(&self, id: &StoreId, _: &Arc<Engine>) {
        self.marks.mark(id);
    }

    fn changed(&self, id: &StoreId) {
        self.marks.mark(id);
    }

    fn over(&self) {
        self.marks.change(|marked| marked.over = true);
    }
}

struct Node<D: StoreDefinition, Q> {
    across: Across<D>,
    query: Arc<Q>,
    marks: Arc<Marks>,
    kept: tokio::sync::Mutex<Option<Kept<Q>>>,
}

/// What one look leaves to the next.
struct Kept<Q> {
    gather: Arc<Gather<Q>>,
    answered: BTreeSet<usize>,
    failed: BTreeMap<usize, FailedStore>,
    digest: Option<blake3::Hash>,
}

/// Looks at the stores that may have changed.
async fn look<D, Q>(node: Arc<Node<D, Q>>) -> Look<Q::Union>
where
    D: StoreDefinition,
    Q: UnionQuery<D::Id> + Fits<D> + Send + Sync + 'static,
{
    let mut slot = node.kept.lock().await;
    // Whatever changes from now on is looked at again.
    let mut marked = node.marks.take();
    // Gone until the end: a look that fails in the middle has lost its marks, and the next one begins anew.
    let mut kept = match slot.take() {
        Some(kept) => kept,
        None => {
            let (begun, ids) = begin(&node).await?;
            marked.extend(ids);
            begun
        }
    };
    // Of all stores those belong to it, too, that come later.
    marked.retain(|id| kept.gather.knows(id) || (node.across.ids.is_none() && D::Id::from_store_id(id).is_ok()));
    if marked.is_empty() && kept.digest.is_some() {
        // Others of the definition have changed.
        *slot = Some(kept);
        return Ok(None);
    }
    let mut is_new = kept.visit(&node, marked).await?;
    let asked = Arc::clone(&kept.gather);
    let asked = node.across.shared.runtime.spawn_blocking(move || asked.ask());
    let asked = asked.await.map_err(|panic| panicked::<D>(panic.into_message()))?;
    let digest = match &asked {
        Ok((_, digest)) => *digest,
        Err(error) => blake3::hash(error.to_string().as_bytes()),
    };
    is_new |= kept.digest.replace(digest) != Some(digest);
    let (failed, stores) = (kept.failed.values().cloned().collect(), kept.answered.len());
    *slot = Some(kept);
    if !is_new {
        return Ok(None);
    }
    let (value, _) = asked?;
    Ok(Some(Gathered { value, failed, stores }))
}

/// Begins a subscription, also one that failed.
async fn begin<D, Q>(node: &Node<D, Q>) -> Result<(Kept<Q>, Vec<StoreId>), AcrossError>
where
    D: StoreDefinition,
    Q: UnionQuery<D::Id> + Fits<D> + Send + Sync + 'static,
{
    let ids = node.across.ids().await?;
    let marks = Arc::clone(&node.marks);
    let waker = move |id: &StoreId| Waker::from(Arc::new(Mark { marks: Arc::clone(&marks), id: id.clone() }));
    let gather = Arc::new(Gather::new::<D>(Arc::clone(&node.query), &ids)?.hearing(waker));
    let (answered, failed) = Default::default();
    Ok((Kept { gather, answered, failed, digest: None }, ids))
}

impl<Q> Kept<Q> {
    /// Reads these stores again. Whether other ones than before have failed.
    async fn visit<D>(&mut self, node: &Node<D, Q>, marked: BTreeSet<StoreId>) -> Result<bool, AcrossError>
    where
        D: StoreDefinition,
        Q: UnionQuery<D::Id> + Fits<D> + Send + Sync + 'static,
    {
        let stores: Vec<_> = marked.into_iter().map(|id| (self.gather.number(&id), id)).collect();
        let work = Arc::clone(&self.gather) as Arc<dyn InStore>;
        let visited = visit(&node.across.shared, None, kind::<D>(), stores.clone(), work).await?;
        let mut errors: BTreeMap<_, _> = visited.into_iter().collect();
        let mut is_new = false;
        for (number, id) in stores {
            let now = errors.remove(&number).map(|error| FailedStore { id, error });
            if now.is_some() {
                self.answered.remove(&number);
                self.gather.forget(number)?;
            } else {
                self.answered.insert(number);
            }
            // Of all stores one that is gone is none.
            let now = now.filter(|failed| node.across.ids.is_some() || !is_missing(&failed.error));
            is_new |= self.failed.get(&number) != now.as_ref();
            self.failed.remove(&number);
            self.failed.extend(now.map(|now| (number, now)));
        }
        Ok(is_new)
    }
}

fn is_missing(error: &AcrossError) -> bool {
    matches!(error, AcrossError::Load(LoadError::NotFound { .. }))
}
