//! A catalog that was lost is made anew from the stores' files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Catalog, text};
use crate::{
    id::StoreId,
    options::Durability,
    storage::{
        layout::{Layout, LayoutError},
        sqlite::{Access, Connection, Place, SqliteError},
    },
    value::ValueRef,
};

/// Moves a catalog that cannot be read out of the way; it may hold something for a person to look at.
pub(super) fn move_away(path: &Path) -> Result<(), LayoutError> {
    let damaged = path.with_extension("db.damaged");
    fs::rename(path, &damaged).map_err(|error| LayoutError::failed(path, error))?;
    for ending in ["db-wal", "db-shm"] {
        // Without the file that they belong to they say nothing.
        let _ = fs::remove_file(path.with_extension(ending));
    }
    Ok(())
}

/// Enters every store whose file can be read. A store that cannot is entered when it is next opened.
pub(super) fn fill(catalog: &Catalog, layout: &Layout) {
    for file in store_files(&layout.stores()) {
        match enter(catalog, layout, &file) {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(file = %file.display(), "not entered in the catalog, it is no store of this data dir")
            }
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "not entered in the catalog, it cannot be read")
            }
        }
    }
}

fn enter(catalog: &Catalog, layout: &Layout, file: &Path) -> Result<bool, SqliteError> {
    let Some((definition, id)) = names_inside(file)? else { return Ok(false) };
    let Ok(id) = id.parse::<StoreId>() else { return Ok(false) };
    if layout.store(&definition, &id) != file {
        return Ok(false);
    }
    catalog.add(&definition, &id, Durability::Process)?;
    // Nobody knows; the next opening with a backend finds out.
    catalog.set_unsent(&definition, &id, None)?;
    Ok(true)
}

/// The definition and id that a store's file has inside.
fn names_inside(file: &Path) -> Result<Option<(String, String)>, SqliteError> {
    let mut connection = Connection::open(&Place::File(file.to_owned()), Access::Reader)?;
    let sql = "SELECT max(value) FILTER (WHERE key = 'definition'), max(value) FILTER (WHERE key = 'store_id') FROM larder_meta";
    let names = connection.row(sql, &[], |row| match (row.value(0), row.value(1)) {
        (definition @ ValueRef::Text(_), id @ ValueRef::Text(_)) => {
            Ok::<_, SqliteError>(Some((text(definition), text(id))))
        }
        _ => Ok(None),
    })?;
    connection.close()?;
    Ok(names.flatten())
}

fn store_files(stores: &Path) -> Vec<PathBuf> {
    let children = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = children(stores)
        .filter(|child| child.file_type().is_ok_and(|kind| kind.is_dir()))
        .flat_map(|folder| children(&folder.path()))
        .filter(|child| child.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|child| child.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "db"))
        .collect();
    files.sort();
    files
}
