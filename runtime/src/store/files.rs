//! A store's files before SQLite sees them: folder, file system, lock, what the file is and how it was left.

use std::{fs, io, path::Path};

use super::{
    OpenRequest,
    open::{corrupt, wrong_file},
};
use crate::{
    error::LoadError,
    options::Durability,
    storage::{
        lock::{self, Lock, LockError, Marker, MarkerState, beside},
        meta::{self, Header},
        network::{FileSystem, file_system},
    },
};

/// What stands at a store's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing: the store is new.
    Nothing,
    /// A file that may be this store's.
    Store,
}

/// The folder exists, is this user's, and can hold a WAL.
pub(super) fn check_folder(request: &OpenRequest, path: &Path) -> Result<(), LoadError> {
    let folder = folder_of(path);
    make_folder(folder).map_err(|error| io(request, path, &error))?;
    if !request.readers.is_new_folder(folder) {
        return Ok(());
    }
    let unusable = |reason: String| LoadError::DataDir { path: folder.to_owned(), reason };
    match file_system(folder) {
        FileSystem::Fine => {}
        FileSystem::Doubtful(kind) => tracing::warn!(
            folder = %folder.display(), kind,
            "stores are on a file system that may be shared with other machines; SQLite's WAL needs a local one"
        ),
        FileSystem::Network(kind) => {
            return Err(unusable(format!(
                "it is on a network file system ({kind}), where SQLite's WAL does not work; choose a local folder"
            )));
        }
    }
    Ok(())
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Takes the lock.
pub(super) fn lock(request: &OpenRequest, path: &Path) -> Result<Lock, LoadError> {
    for ending in ["", "-wal", "-shm"] {
        let file = beside(path, ending);
        if fs::symlink_metadata(&file).is_ok_and(|found| !found.is_file()) {
            return Err(wrong_file(request, &file, "it is a symlink or no file"));
        }
    }
    Lock::acquire(path).map_err(|error| match error {
        LockError::Held(holder) => {
            LoadError::Locked { store: request.name.clone(), holder, file: lock::lock_path(path) }
        }
        LockError::Symlink => wrong_file(request, &lock::lock_path(path), "it is a symlink or no file"),
        LockError::Io(error) => io(request, &lock::lock_path(path), &error),
    })
}

/// Looks at what is there, and compares it with how it was left. Nothing is changed.
pub(super) fn look(request: &OpenRequest, path: &Path, lock: &mut Lock) -> Result<Found, LoadError> {
    super::replace::finish(path, lock).map_err(|error| io(request, path, &error))?;
    let header = meta::read_header(path).map_err(|error| io(request, path, &error))?;
    let wal_bytes = fs::metadata(beside(path, "-wal")).map(|found| found.len()).ok();
    let state = lock.marker().state;
    match (header, state) {
        (Header::Missing | Header::Empty, MarkerState::Fresh) if wal_bytes.unwrap_or(0) == 0 => Ok(Found::Nothing),
        (Header::Missing | Header::Empty, _) => {
            let what = "its file is missing or empty, and files beside it are of a store that was there; put the file back, \
                        or remove its `-wal` and `.lock` to begin anew";
            Err(corrupt(request, what))
        }
        (Header::Other, MarkerState::Fresh) => Err(wrong_file(request, path, "it is no SQLite database")),
        (Header::Other, _) => Err(corrupt(request, "its first page is not that of an SQLite database")),
        (Header::Sqlite { application_id, wal, .. }, _)
            if application_id != meta::APPLICATION_ID && (application_id != 0 || !wal) =>
        {
            Err(wrong_file(request, path, "it belongs to another program"))
        }
        (Header::Sqlite { application_id, format, .. }, _)
            if application_id == meta::APPLICATION_ID && format > meta::FORMAT =>
        {
            Err(newer(request, path, format))
        }
        (Header::Sqlite { .. }, MarkerState::Open) if wal_bytes.is_none() => Err(corrupt(
            request,
            "it was not closed cleanly and its `-wal` is missing, so commits may be lost; put the `-wal` back, or remove \
             the `.lock` beside the file to go on without",
        )),
        (Header::Sqlite { .. }, MarkerState::Closed) if wal_bytes.unwrap_or(0) > 0 => Err(wrong_file(
            request,
            &beside(path, "-wal"),
            "the store was closed cleanly and left none, so it is another's (or power was lost since and it holds this \
             store's last commits: then keep it and remove the `.lock` beside it)",
        )),
        (Header::Sqlite { .. }, _) => Ok(Found::Store),
    }
}

/// A file of a newer larder.
pub(super) fn newer(request: &OpenRequest, path: &Path, found: i64) -> LoadError {
    LoadError::NewerFormat { store: request.name.clone(), found, known: meta::FORMAT, file: path.to_owned() }
}

/// Makes the names of new files survive power loss, where that was asked for.
pub(super) fn sync_new(request: &OpenRequest, path: &Path, found: Found, lock: &Lock) -> io::Result<()> {
    if request.options.durability != Durability::Power {
        return Ok(());
    }
    lock.sync()?;
    let folder = folder_of(path);
    sync_folder(folder)?;
    if found == Found::Nothing { folder.parent().map_or(Ok(()), sync_folder) } else { Ok(()) }
}

/// Makes the names in a folder survive power loss.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // Elsewhere a folder is no file; its names are as safe as the file system makes them.
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

/// A failure of the file system while loading.
pub(super) fn io(request: &OpenRequest, path: &Path, error: &io::Error) -> LoadError {
    LoadError::Storage { store: request.name.clone(), message: error.to_string(), file: path.to_owned() }
}

/// After a load that failed: the marker says again how the files stand.
pub(super) fn settle(path: &Path, lock: &mut Lock, before: Marker) {
    let has_wal = fs::metadata(beside(path, "-wal")).is_ok_and(|found| found.len() > 0);
    let state = match (before.state, has_wal) {
        // A `-wal` that was refused stays a reason to refuse.
        (MarkerState::Closed, true) => MarkerState::Closed,
        // What is in the `-wal` of a store that was never made has no worth.
        (MarkerState::Fresh, true) if lock.marker().state == MarkerState::Fresh => MarkerState::Fresh,
        (_, true) => MarkerState::Open,
        (MarkerState::Fresh, false) => MarkerState::Fresh,
        (_, false) => MarkerState::Closed,
    };
    // A marker that cannot be written is that of an unclean end, which the next opener can deal with.
    let _ = lock.mark(Marker { state, suspect: before.suspect });
}
