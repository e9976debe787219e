//! The last result of something that is computed again: by one poller at a time, and without a lock while it computes.

use std::sync::{Arc, PoisonError};

use crate::{
    error::QueryError,
    primitives::{Mutex, MutexGuard},
};

/// What a poller is told.
pub(crate) enum Refreshed<V> {
    /// This is the result now.
    Is(Versioned<V>),
    /// Somebody else computes it; whoever watches is woken when it is there.
    Busy,
}

/// A result, and which one it is: another number is another result.
pub(crate) struct Versioned<V> {
    pub(crate) version: u64,
    pub(crate) result: Result<V, QueryError>,
}

/// A result and what it was made with.
#[derive(Debug)]
pub(super) struct Slot<V, K> {
    state: Mutex<State<V, K>>,
}

#[derive(Debug)]
struct State<V, K> {
    version: u64,
    result: Option<Result<V, QueryError>>,
    /// What the next run goes on from; away while one runs.
    kept: K,
    running: bool,
    /// Somebody was told to wait.
    awaited: bool,
}

/// What [`Slot::begin`] finds.
pub(super) enum Begun<V, K> {
    /// There is a result, and nothing has happened since.
    Is(Versioned<V>),
    Busy,
    /// It is the caller's turn.
    Run(K),
}

impl<V: Clone, K: Default> Slot<V, K> {
    pub(super) fn new() -> Self {
        let state = State { version: 0, result: None, kept: K::default(), running: false, awaited: false };
        Self { state: Mutex::new(state) }
    }

    /// Begins a run, unless there is a result and `is_fresh` says that it still holds. It is asked once, unless somebody else runs.
    pub(super) fn begin(&self, is_fresh: impl FnOnce() -> bool) -> Begun<V, K> {
        let mut state = self.lock();
        if state.running {
            state.awaited = true;
            return Begun::Busy;
        }
        if is_fresh()
            && let Some(result) = state.result.clone()
        {
            return Begun::Is(Versioned { version: state.version, result });
        }
        state.running = true;
        Begun::Run(std::mem::take(&mut state.kept))
    }

    /// Ends a run. `is_new` says whether the result is another one than before; then it gets the next number. Also tells whether
    /// somebody waits.
    pub(super) fn end(&self, result: Result<V, QueryError>, is_new: bool, kept: K) -> (Versioned<V>, bool) {
        let mut state = self.lock();
        state.version += u64::from(is_new);
        state.running = false;
        state.kept = kept;
        // Values are the app's, and so is what dropping them runs: not under the lock.
        let before = state.result.replace(result.clone());
        let ended = (Versioned { version: state.version, result }, std::mem::take(&mut state.awaited));
        drop(state);
        drop(before);
        ended
    }

    /// Ends a run that did not come to an end; the result stays, and the next run begins anew. Tells whether somebody waits.
    pub(super) fn abandon(&self) -> bool {
        let mut state = self.lock();
        state.running = false;
        state.kept = K::default();
        std::mem::take(&mut state.awaited)
    }

    /// The result before the run in progress.
    pub(super) fn result(&self) -> Option<Result<V, QueryError>> {
        self.lock().result.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State<V, K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something of the graph: a live query, a signal, a computed value.
pub(crate) trait Node<V>: Send + Sync {
    /// The result now; runs what is not up to date.
    fn refresh(&self) -> Refreshed<V>;

    /// The result now, also while somebody else computes it: then it is computed here, too.
    fn now(&self) -> Result<V, QueryError>;

    /// Wakes `waker`, once, when the result may be another one. Refresh after this call, not before, or news is missed.
    fn watch(&self, who: u64, waker: &std::task::Waker);

    /// Wakes nobody for `who` any more.
    fn leave(&self, who: u64);
}

/// A number for someone who watches nodes.
pub(super) fn watcher() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A node that several hold.
pub(crate) type AnyNode<V> = Arc<dyn Node<V>>;
