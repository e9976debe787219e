//! A catalog that was lost is made anew from the stores' files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Catalog, text};
use crate::{
    id::StoreId,
    storage::{
        change_records,
        kept::Before,
        layout::{Layout, LayoutError},
        lock::{Lock, LockError, lock_path},
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
    let Some(Inside { definition, id, confirmed, .. }) = look_inside(file)? else { return Ok(false) };
    let Ok(id) = id.parse::<StoreId>() else { return Ok(false) };
    if layout.store(&definition, &id) != file {
        return Ok(false);
    }
    catalog.add_found(&definition, &id, confirmed)?;
    Ok(true)
}

/// What a store's file says of itself.
struct Inside {
    definition: String,
    id: String,
    /// Some backend has confirmed events of it.
    confirmed: bool,
    /// Some backend was to.
    keeps_changes: bool,
}

/// Whether a store's file shows that it had a backend; not, when it cannot be read.
pub(crate) fn had_backend(file: &Path) -> bool {
    matches!(look_inside(file), Ok(Some(inside)) if inside.confirmed || inside.keeps_changes)
}

/// Reads a store's file, and leaves what is beside it as it is: the next opening is to see how the last one ended.
fn look_inside(file: &Path) -> Result<Option<Inside>, SqliteError> {
    let lock = match Lock::acquire(file) {
        Ok(lock) => Some(lock),
        // Whoever has it open has seen that already.
        Err(LockError::Held(_)) => None,
        Err(LockError::Symlink) => return Ok(None),
        Err(LockError::Io(error)) => return Err(SqliteError::from_io(&lock_path(file), &error)),
    };
    let before = lock.as_ref().map(|_| Before::of(file));
    let mut connection = Connection::open(&Place::File(file.to_owned()), Access::Reader)?;
    let sql = "SELECT max(value) FILTER (WHERE key = 'definition'), max(value) FILTER (WHERE key = 'store_id'), \
               max(value) FILTER (WHERE key = 'confirmed') FROM larder_meta";
    let inside = connection.row(sql, &[], |row| match (row.value(0), row.value(1)) {
        (definition @ ValueRef::Text(_), id @ ValueRef::Text(_)) => {
            let confirmed = matches!(row.value(2), ValueRef::Integer(global) if global > 0);
            Ok::<_, SqliteError>(Some(Inside {
                definition: text(definition),
                id: text(id),
                confirmed,
                keeps_changes: false,
            }))
        }
        _ => Ok(None),
    });
    let keeps_changes = change_records::exist(&mut connection);
    connection.close()?;
    drop((before, lock));
    let (inside, keeps_changes) = (inside?.flatten(), keeps_changes?);
    Ok(inside.map(|inside| Inside { keeps_changes, ..inside }))
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
