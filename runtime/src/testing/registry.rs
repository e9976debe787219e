//! A registry in memory on a clock that stands still, with a log.

use std::{ops::Deref, time::Duration};

use super::{EventLog, ManualClock};
use crate::{
    error::LoadError,
    registry::{RegistryBuilder, StoreRegistry, StoreStats},
};

/// A registry on a [`ManualClock`], with an [`EventLog`]: what an app's tests open its stores with. It derefs to the registry.
///
/// ```
/// # use larder::{prelude::*, testing::TestRegistry};
/// # use std::time::Duration;
/// # async fn test<IssueStore: larder::StoreDefinition<Id = StoreId>>() -> Result<(), larder::LoadError> {
/// let registry = TestRegistry::in_memory()?;
/// drop(registry.get::<IssueStore>("issue:1").await?);
/// registry.advance(Duration::from_secs(60)).await;
/// assert!(!registry.has::<IssueStore>("issue:1"));
/// assert_eq!(registry.log().take().last().map(String::as_str), Some("closed issue/issue:1"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TestRegistry {
    registry: StoreRegistry,
    clock: ManualClock,
    log: EventLog,
}

impl TestRegistry {
    /// A registry whose stores live in memory.
    ///
    /// # Errors
    /// As of [`RegistryBuilder::build`].
    pub fn in_memory() -> Result<Self, LoadError> {
        Self::build(StoreRegistry::builder().in_memory())
    }

    /// What the builder says, on a new clock and with a new log.
    ///
    /// # Errors
    /// As of [`RegistryBuilder::build`].
    pub fn build(builder: RegistryBuilder) -> Result<Self, LoadError> {
        let (clock, log) = (ManualClock::new(), EventLog::new());
        let registry = builder.clock(&clock).log(&log).build()?;
        Ok(Self { registry, clock, log })
    }

    /// The clock.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// What happened.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// Moves time on, timer by timer. When it returns, all that was due is done: nothing loads or closes, unless the test itself holds
    /// it up (in an `on_load`, say).
    pub async fn advance(&self, duration: Duration) {
        self.clock.advance(duration).await;
    }

    /// Waits until nothing can go on without more time or the test.
    pub async fn settle(&self) {
        self.clock.settle().await;
    }

    /// The stats of one store, by definition name and id; `None` when the registry does not know it.
    pub fn store(&self, definition: &str, id: &str) -> Option<StoreStats> {
        self.registry.stats().store(definition, id).cloned()
    }
}

impl Deref for TestRegistry {
    type Target = StoreRegistry;

    fn deref(&self) -> &StoreRegistry {
        &self.registry
    }
}
