//! One store without a registry of the app's own.

use std::{fmt, path::PathBuf, sync::Arc};

use super::{RegistryBuilder, StoreRegistry, get::Get, handle::StoreHandle};
use crate::{
    definition::{BoxFuture, StoreDefinition},
    error::LoadError,
    id::IntoStoreId,
    options::StoreOptions,
    store::Store,
};

/// Where and how [`Store::open`] opens a store.
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until they are given to `Store::open`"]
pub struct OpenOptions {
    registry: RegistryBuilder,
    options: StoreOptions,
}

impl OpenOptions {
    /// A store in this data dir, which a registry may use too, though not for the same store at the same time.
    pub fn data_dir(path: impl Into<PathBuf>) -> Self {
        Self { registry: StoreRegistry::builder().data_dir(path), options: StoreOptions::default() }
    }

    /// A store in memory.
    pub fn in_memory() -> Self {
        Self { registry: StoreRegistry::builder().in_memory(), options: StoreOptions::default() }
    }

    /// Options on top of the definition's.
    pub fn options(mut self, options: StoreOptions) -> Self {
        self.options = options;
        self
    }

    /// The clock of a test.
    #[cfg(feature = "testing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn clock(mut self, clock: &crate::testing::ManualClock) -> Self {
        self.registry = self.registry.clock(clock);
        self
    }
}

impl<D: StoreDefinition> Store<D> {
    /// Opens one store without a registry. The handle is the same as a registry's; with the last clone of it, and the last stream or
    /// subscription, the store is closed, in the background. [`StoreHandle::close`] closes it at once and says when that is done.
    ///
    /// ```no_run
    /// # use larder::{prelude::*, OpenOptions, StoreDefinition, LoadError};
    /// # async fn example<WorkspaceStore: StoreDefinition<Id = StoreId>>() -> Result<(), LoadError> {
    /// let store = Store::<WorkspaceStore>::open("ws:1", OpenOptions::data_dir("data")).await?;
    /// # drop(store);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As of [`StoreRegistry::get`] and [`RegistryBuilder::build`].
    pub fn open(
        id: impl IntoStoreId<D, D::Id>,
        options: OpenOptions,
    ) -> BoxFuture<'static, Result<StoreHandle<D>, LoadError>> {
        let id = id.into_store_id();
        Box::pin(async move {
            let OpenOptions { registry, options } = options;
            let registry = registry.build()?;
            let get = Get::<D>::new(registry.shared(), None, id).options(options);
            match registry.into_owner() {
                Some(owner) => {
                    owner.shared.belongs_to_its_store(&owner);
                    get.owned_by(owner).await
                }
                None => get.await,
            }
        })
    }
}

impl fmt::Debug for super::Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Owner").field("shared", &Arc::as_ptr(&self.shared)).finish()
    }
}
