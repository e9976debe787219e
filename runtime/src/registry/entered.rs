//! What the catalog hears of a load: the store before its file is made, the place where its events go once it is open.

use std::sync::Arc;

use super::{plan::Plan, shared::Shared};
use crate::{
    error::LoadError,
    id::check_sync_id,
    seeded,
    storage::{
        layout::LayoutError,
        sqlite::{Place, SqliteError},
    },
    store::{Engine, Migration, MigrationsReport, StoreName},
};

/// Where the store's data is. Its catalog entry comes before its file, so that a crash loses no entry.
pub(super) fn prepare(shared: &Shared, name: &StoreName, plan: &Plan) -> Result<Place, LoadError> {
    let place = if plan.in_memory { Place::Memory } else { file_of(shared, name)? };
    enter(shared, name, plan)?;
    Ok(place)
}

/// Enters the store in the catalog, and takes its sync id.
fn enter(shared: &Shared, name: &StoreName, plan: &Plan) -> Result<(), LoadError> {
    let catalog = |error: SqliteError| catalog_failed(shared, name, &error);
    let wire = plan.resolved.sync.as_ref().map(|backend| (backend, plan.resolved.wire_id(name.id())));
    if let Some((_, sync_id)) = &wire {
        check_sync_id(sync_id).map_err(|source| LoadError::SyncId { store: name.clone(), source })?;
    }
    if !plan.in_memory && !seeded::bug("catalog-after-file") {
        shared.catalog.add(name.definition(), name.id(), plan.resolved.durability).map_err(catalog)?;
    }
    if let Some((backend, sync_id)) = wire {
        let claimed = shared.catalog.claim(backend.identity(), &sync_id, name.definition(), name.id());
        if let Err(owner) = claimed.map_err(catalog)? {
            return Err(LoadError::SyncIdConflict { store: name.clone(), sync_id, owner });
        }
    }
    Ok(())
}

/// What the catalog says of an open store.
pub(super) fn note_open(
    shared: &Shared,
    name: &StoreName,
    plan: &Plan,
    (engine, report): &(Arc<Engine>, MigrationsReport),
) -> Result<(), LoadError> {
    let noted = || {
        if report.migration == Migration::Created {
            // Another process may have deleted the store after it was entered, and its entry with it.
            enter(shared, name, plan)?;
        }
        if plan.in_memory {
            return Ok(());
        }
        let catalog = |error: SqliteError| catalog_failed(shared, name, &error);
        let wire = plan.resolved.sync.as_ref().map(|backend| (backend.identity(), plan.resolved.wire_id(name.id())));
        // What is committed without the backend that a store had is owed to that all the same. Its file knows where its entry is lost.
        let is_owed = wire.is_some()
            || engine.confirmed() > 0
            || shared.catalog.had_backend(name.definition(), name.id()).map_err(catalog)?;
        if !is_owed {
            return Ok(());
        }
        // What is unsent is not known until the store is closed, also if the process ends before that.
        let wire = wire.as_ref().map(|(backend, sync_id)| (*backend, sync_id.as_str()));
        shared.catalog.opened(name.definition(), name.id(), wire, plan.resolved.durability).map_err(catalog)
    };
    noted().inspect_err(|_| {
        // An error was logged where it happened; nothing was committed.
        let _ = engine.close();
    })
}

fn catalog_failed(shared: &Shared, name: &StoreName, error: &SqliteError) -> LoadError {
    LoadError::Storage { store: name.clone(), message: format!("the catalog: {error}"), file: shared.catalog_path() }
}

pub(super) fn file_of(shared: &Shared, name: &StoreName) -> Result<Place, LoadError> {
    let Some(layout) = &shared.layout else { return Err(LoadError::NoDataDir { store: name.clone() }) };
    let made = layout.make_definition_folder(name.definition());
    made.map_err(|LayoutError { path, reason }| LoadError::DataDir { path, reason })?;
    Ok(Place::File(layout.store(name.definition(), name.id())))
}
