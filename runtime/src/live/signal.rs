//! Local state in the graph.

use std::{
    fmt,
    sync::{Arc, PoisonError},
    task::Waker,
};

use super::{
    computed::Updates,
    marks::Marks,
    slot::{Node, Refreshed, Versioned},
};
use crate::{error::QueryError, primitives::Mutex};

/// State of the app that is in no store: what is selected, what is typed into a search field. [`Computed`](super::Computed) values are made
/// of it, and whoever subscribes hears of each different value. Clones are the same signal.
///
/// ```
/// use larder::Signal;
///
/// let search = Signal::new(String::new());
/// search.set("jar".to_owned());
/// assert_eq!(*search.get(), "jar");
/// ```
pub struct Signal<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    state: Mutex<(u64, Arc<T>)>,
    marks: Arc<Marks>,
}

impl<T: PartialEq + Send + Sync + 'static> Signal<T> {
    /// A signal with this value.
    pub fn new(value: T) -> Self {
        Self { inner: Arc::new(Inner { state: Mutex::new((0, Arc::new(value))), marks: Arc::default() }) }
    }

    /// Gives it another value. An equal one changes nothing and wakes nobody.
    pub fn set(&self, value: T) {
        self.update(|_| value);
    }

    /// Gives it a value that is made of the one before. Of two updates at the same time the later one may not see the earlier one.
    pub fn update(&self, change: impl FnOnce(&T) -> T) {
        // The app's code runs under no lock.
        let before = self.get();
        let value = change(&before);
        if value == *before {
            return;
        }
        let replaced = {
            let mut state = self.lock();
            state.0 += 1;
            std::mem::replace(&mut state.1, Arc::new(value))
        };
        drop(replaced);
        self.inner.marks.mark();
    }

    /// Each different value from now on as a stream, the current one first.
    pub fn subscribe(&self) -> Updates<T> {
        Updates::new(self.node())
    }

    pub(super) fn node(&self) -> Arc<dyn Node<Arc<T>>> {
        Arc::clone(&self.inner) as Arc<dyn Node<Arc<T>>>
    }
}

impl<T> Signal<T> {
    /// The value.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.lock().1)
    }

    fn lock(&self) -> crate::primitives::MutexGuard<'_, (u64, Arc<T>)> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + Sync> Node<Arc<T>> for Inner<T> {
    fn refresh(&self) -> Refreshed<Arc<T>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Refreshed::Is(Versioned { version: state.0, result: Ok(Arc::clone(&state.1)) })
    }

    fn now(&self) -> Result<Arc<T>, QueryError> {
        Ok(Arc::clone(&self.state.lock().unwrap_or_else(PoisonError::into_inner).1))
    }

    fn watch(&self, who: u64, waker: &Waker) {
        self.marks.watch(who, waker);
    }

    fn leave(&self, who: u64) {
        self.marks.leave(who);
    }
}

impl<T> Clone for Signal<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Signal<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Signal").field(&self.get()).finish()
    }
}
