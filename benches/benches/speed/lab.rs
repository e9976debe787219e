//! A registry in a folder of its own, beside the files that are written by hand.

use std::path::PathBuf;

use larder::{StoreDefinition, prelude::*};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    app::{IssueEvent, IssueStore, opened},
    hand::{Hand, Opened},
    measure::Outcome,
};

/// Events of one commit when a log is filled.
const FILL: i64 = 1_000;

/// Where measurements run.
pub(crate) struct Lab {
    folder: TempDir,
    runtime: Runtime,
    pub(crate) registry: StoreRegistry,
}

impl Lab {
    /// An empty folder, and a registry on it.
    pub(crate) fn new() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let runtime = runtime()?;
        let registry =
            runtime.block_on(async { StoreRegistry::builder().data_dir(folder.path().join("larder")).build() })?;
        Ok(Self { folder, runtime, registry })
    }

    /// A second registry on the same data dir.
    pub(crate) fn other_registry(&self) -> Outcome<StoreRegistry> {
        Ok(self.block_on(async { StoreRegistry::builder().data_dir(self.folder.path().join("larder")).build() })?)
    }

    /// The path of a file of the hand-written side.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a future to its end.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Opens a store.
    pub(crate) fn get(&self, id: &StoreId) -> Outcome<StoreHandle<IssueStore>> {
        Ok(self.block_on(self.registry.get::<IssueStore>(id))?)
    }

    /// Closes a store's file and opens it again: its `-wal` is empty then.
    pub(crate) fn reopen(&self, id: &StoreId) -> Outcome<StoreHandle<IssueStore>> {
        self.evict::<IssueStore>(&self.registry, id)?;
        self.get(id)
    }

    /// Closes a store's file.
    pub(crate) fn evict<D: StoreDefinition<Id = StoreId>>(
        &self,
        registry: &StoreRegistry,
        id: &StoreId,
    ) -> Outcome<()> {
        Ok(self.block_on(registry.evict::<D>(id))?)
    }

    /// A closed store with so many issues.
    pub(crate) fn filled(&self, id: &str, events: i64) -> Outcome<StoreId> {
        let id: StoreId = id.parse()?;
        let store = self.get(&id)?;
        for first in (0..events).step_by(FILL as usize) {
            store.commit((first..events.min(first + FILL)).map(opened).collect::<Vec<IssueEvent>>())?;
        }
        drop(store);
        self.evict::<IssueStore>(&self.registry, &id)?;
        Ok(id)
    }

    /// The same by hand, open.
    pub(crate) fn filled_by_hand(&self, name: &str, events: i64) -> Outcome<Hand> {
        let mut hand = Hand::open(&self.path(name))?;
        for first in (0..events).step_by(FILL as usize) {
            hand.commit(&(first..events.min(first + FILL)).map(Opened::of).collect::<Vec<_>>())?;
        }
        hand.checkpoint()?;
        Ok(hand)
    }
}

/// What a small server has.
pub(crate) fn runtime() -> Outcome<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build()?)
}
