//! A clock that moves when a test says so.

use std::{fmt, sync::Arc, time::Duration};

use crate::clock::{Manual, Runtime, Tick};

/// A clock that moves when a test says so: gc times, deadlines and idle stores are tested without waiting.
#[derive(Clone, Default)]
pub struct ManualClock {
    inner: Arc<Manual>,
}

impl ManualClock {
    /// A clock that stands at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, and blocking work, as opening a file is, runs on the thread of the runtime that is current when a registry is built. On a
    /// runtime of one thread nothing happens beside anything else then: the order of all that happens follows from the test alone.
    ///
    /// ```
    /// # use larder::{prelude::*, testing::ManualClock};
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// let clock = ManualClock::on_one_thread();
    /// let registry = runtime.block_on(async { StoreRegistry::builder().in_memory().clock(&clock).build() });
    /// # drop(registry);
    /// ```
    pub fn on_one_thread() -> Self {
        Self { inner: Arc::new(Manual::on_one_thread()) }
    }

    /// How far it was advanced. The stores on it say so as a date after 1970-01-01T00:00:00Z: [`Store::now`](crate::Store::now).
    pub fn now(&self) -> Duration {
        self.inner.now().since(Tick::ZERO)
    }

    /// Moves time on, timer by timer. When it returns, all that was due is done: nothing loads or closes, unless the test itself holds
    /// it up (in an `on_load`, say).
    pub async fn advance(&self, duration: Duration) {
        self.inner.advance(duration).await;
    }

    /// Waits until nothing can go on without more time or the test.
    pub async fn settle(&self) {
        self.inner.settle().await;
    }

    /// Moves time on without waiting for anything.
    #[cfg(all(test, larder_shuttle))]
    pub(crate) fn jump(&self, duration: Duration) {
        self.inner.jump(duration);
    }

    pub(crate) fn runtime(&self) -> Result<Runtime, String> {
        Runtime::manual(Arc::clone(&self.inner))
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ManualClock").field("now", &self.now()).finish()
    }
}
