//! Whether a store is there, and which ids are spelt nearly like that of one that is not.

use std::sync::Arc;

use super::{kind::Kind, shared::Shared};
use crate::{
    error::LoadError,
    id::{StoreId, nearest},
    storage::{
        layout::Layout,
        lock::{beside, lock_path},
    },
    store::StoreName,
};

/// How many ids before and behind the one asked for are compared with it.
const COMPARED: usize = 500;
/// How many of them an error names.
const NAMED: usize = 3;

/// Whether the store is loaded or has a file.
pub(super) async fn exists(shared: Arc<Shared>, kind: &'static Kind, id: StoreId) -> Result<bool, LoadError> {
    {
        let mut state = shared.lock();
        state.claim_name(kind)?;
        let slot = state.slots.find(kind.type_id, &id).and_then(|at| state.slots.get(at));
        if slot.is_some_and(|slot| slot.loaded.is_some()) {
            return Ok(true);
        }
    }
    let Some(layout) = shared.layout.clone() else { return Ok(false) };
    let look = move || layout.store(kind.name, &id).exists();
    let failed = |reason| LoadError::DataDir { path: shared.catalog_path(), reason };
    shared.runtime.spawn_blocking(look).await.map_err(|panicked| failed(panicked.into_message()))
}

/// Whether nothing of the store is there. A lock file without a store's file beside it is for the store to judge.
pub(super) fn has_no_file(shared: &Shared, name: &StoreName) -> bool {
    let file = |layout: &Layout| layout.store(name.definition(), name.id());
    shared.layout.as_ref().map(file).is_none_or(|file| {
        [file.clone(), beside(&file, "-wal"), lock_path(&file)].iter().all(|file| file.symlink_metadata().is_err())
    })
}

/// The error, with what may have been meant. A catalog that cannot be read has nothing to suggest.
pub(super) fn not_found(shared: &Shared, store: StoreName) -> LoadError {
    let stored = shared.catalog.around(store.definition(), store.id(), COMPARED).unwrap_or_default();
    let near = nearest(store.id(), stored.into_iter().map(|entry| entry.id), NAMED);
    LoadError::NotFound { store, near }
}
