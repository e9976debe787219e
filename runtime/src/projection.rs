//! Projections: events of many stores of a definition become the tables of one read model.
//!
//! A projection is a store like others, without an eventlog of its own to speak of: `store/project.rs` writes its tables. Its load begins to
//! follow the sources (`follow`), and keeps that until the store is closed. What was read of each source stands beside the rows, so that a
//! source is read on from there; one whose file has not changed since is not opened.

mod follow;
mod handle;
mod reading;

pub use handle::{OpenProjection, ProjectedSource, ProjectionHandle};

use self::follow::Following;
use crate::{
    definition::{BoxFuture, ProjectionDefinition},
    error::{AcrossError, BoxError},
    id::{StoreId, StoreIdError},
    registry::{LoadContext, kind},
    store::Store,
};

/// The id of the one store that a projection is.
const ALL: &str = "all";

pub(crate) fn id() -> Result<StoreId, StoreIdError> {
    ALL.parse()
}

/// Why a projection was not loaded: told apart from what an app's `on_load` answers.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct NotLoaded(pub(crate) AcrossError);

/// What the load of a projection does, for generated code: reads what its sources have, and follows them as long as it is loaded.
#[doc(hidden)]
pub fn begin_projection<P: ProjectionDefinition>(
    store: &Store<P>,
    context: LoadContext,
) -> BoxFuture<'_, Result<(), BoxError>> {
    Box::pin(async move {
        let following = Following::begin(context.registry(), kind::<P::Source>(), store.engine());
        following.catch_up_all().await.map_err(NotLoaded)?;
        context.keep(following);
        Ok(())
    })
}
