//! The registry: opens, shares, keeps and disposes stores.

use std::marker::PhantomData;

/// Opens, shares, keeps and disposes stores.
#[derive(Clone)]
pub struct StoreRegistry {}

/// One observer's hold on a store.
pub struct StoreHandle<D> {
    types: PhantomData<fn() -> D>,
}

/// What `on_load` gets.
pub struct LoadContext {}
