//! A definition without its type: constant data and functions, so that the registry itself is compiled once.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::{Arc, PoisonError},
};

use super::{
    context::LoadContext,
    handle::{Core, LoadedStore},
};
use crate::{
    adapter::{Adapter, SqliteAdapter},
    definition::{BoxFuture, StoreDefinition},
    error::{BoxError, LoadError},
    options::StoreOptions,
    primitives::Mutex,
    schema::SchemaModel,
};

/// Runs a definition's `on_load`.
pub(crate) type OnLoad = for<'a> fn(&'a dyn AnyLoaded, LoadContext) -> BoxFuture<'a, Result<(), BoxError>>;

/// A definition without its type.
pub(crate) struct Kind {
    pub(crate) type_id: TypeId,
    pub(crate) name: &'static str,
    pub(crate) type_name: fn() -> &'static str,
    pub(crate) model: fn() -> Result<Arc<SchemaModel>, LoadError>,
    pub(crate) options: fn() -> StoreOptions,
    pub(crate) adapter: fn() -> SqliteAdapter,
    pub(crate) wrap: fn(Core) -> Arc<dyn AnyLoaded>,
    pub(crate) on_load: OnLoad,
    /// Its events are other stores', so that it has none to send.
    pub(crate) is_projection: bool,
}

/// The kind of definition `D`.
pub(crate) fn kind<D: StoreDefinition>() -> &'static Kind {
    &Of::<D>::KIND
}

struct Of<D>(std::marker::PhantomData<fn() -> D>);

impl<D: StoreDefinition> Of<D> {
    const KIND: Kind = Kind {
        type_id: TypeId::of::<D>(),
        name: D::NAME,
        type_name: std::any::type_name::<D>,
        model: SchemaModel::of::<D>,
        options: D::__options,
        adapter: || D::__adapter().__sqlite(),
        is_projection: D::__PROJECTION,
        wrap: |core| Arc::new(LoadedStore::<D>::new(core)),
        on_load: |loaded, context| {
            let loaded: &dyn Any = loaded;
            match loaded.downcast_ref::<LoadedStore<D>>() {
                Some(loaded) => D::__on_load(loaded.store(), context),
                None => Box::pin(std::future::ready(Ok(()))),
            }
        },
    };
}

/// The schemas of the definitions that a registry has loaded: each is checked once, and all its stores share it.
#[derive(Default)]
pub(super) struct Models(Mutex<HashMap<TypeId, Arc<SchemaModel>>>);

impl Models {
    /// The schema of a definition.
    pub(super) fn of(&self, kind: &Kind) -> Result<Arc<SchemaModel>, LoadError> {
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&kind.type_id) {
            return Ok(Arc::clone(known));
        }
        let model = (kind.model)()?;
        let mut models = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(models.entry(kind.type_id).or_insert(model)))
    }
}

/// A loaded store without its type.
pub(crate) trait AnyLoaded: Any + Send + Sync {
    fn core(&self) -> &Core;
}

impl<D: 'static> AnyLoaded for LoadedStore<D> {
    fn core(&self) -> &Core {
        self.core()
    }
}

/// The loaded store with its type again.
pub(crate) fn typed<D: 'static>(loaded: Arc<dyn AnyLoaded>) -> Option<Arc<LoadedStore<D>>> {
    let any: Arc<dyn Any + Send + Sync> = loaded;
    any.downcast().ok()
}
