//! A store's files before SQLite sees them: folder, file system, lock, what the file is and how it was left.

use std::{fs, io, path::Path};

use super::{
    OpenRequest,
    open::{corrupt, storage, wrong_file},
    seal::Misfit,
};
use crate::{
    error::LoadError,
    options::Durability,
    storage::{
        folder,
        kept::index_bytes,
        lock::{self, Lock, LockError, MarkerState, beside},
        meta::{self, Header},
        sqlite::SqliteError,
        wal::{self, Index, WalScan},
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
    let folder = folder::of(path);
    make_folder(folder).map_err(|error| io(request, path, &error))?;
    let unfit = |reason| LoadError::DataDir { path: folder.to_owned(), reason };
    request.readers.folders().check(folder).map_err(unfit)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
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

/// What was there before SQLite came.
pub(super) struct Left {
    pub(super) found: Found,
    /// `None` when there was no `-wal`.
    pub(super) wal: Option<WalScan>,
}

impl Left {
    /// The length of the `-wal`.
    pub(super) fn wal_bytes(&self) -> u64 {
        self.wal.as_ref().map_or(0, |wal| wal.bytes)
    }
}

/// Looks at what is there, and compares it with how it was left. Nothing is changed, but for what is left of a file that was never made.
pub(super) fn look(request: &OpenRequest, path: &Path, lock: &mut Lock) -> Result<Left, LoadError> {
    let failed = |error| io(request, path, &error);
    super::replace::finish(path, lock).map_err(failed)?;
    let header = meta::read_header(path).map_err(failed)?;
    let wal = scan_wal(path).map_err(failed)?;
    let state = lock.marker().state;
    let has_wal = wal.as_ref().is_some_and(|wal| wal.bytes > 0);
    let found = match (header, state) {
        (Header::Missing | Header::Empty, MarkerState::Fresh) if !has_wal => Found::Nothing,
        (Header::Blank, MarkerState::Fresh) if !has_wal => {
            fs::File::options().write(true).open(path).and_then(|file| file.set_len(0)).map_err(failed)?;
            Found::Nothing
        }
        (Header::Missing | Header::Empty, _) => {
            let what = "its file is missing or empty, and files beside it are of a store that was there; put the file back, \
                        or remove its `-wal` and `.lock` to begin anew";
            return Err(corrupt(request, what));
        }
        (Header::Other | Header::Blank, MarkerState::Fresh) => {
            return Err(wrong_file(request, path, "it is no SQLite database"));
        }
        (Header::Other | Header::Blank, _) => {
            return Err(corrupt(request, "its first page is not that of an SQLite database"));
        }
        (Header::Sqlite { application_id, wal, .. }, _)
            if application_id != meta::APPLICATION_ID && (application_id != 0 || !wal) =>
        {
            return Err(wrong_file(request, path, "it belongs to another program"));
        }
        (Header::Sqlite { application_id, format, .. }, _)
            if application_id == meta::APPLICATION_ID && format > meta::FORMAT =>
        {
            return Err(newer(request, path, format));
        }
        (Header::Sqlite { .. }, _) => Found::Store,
    };
    if wal.as_ref().is_some_and(WalScan::is_of_earlier_round) {
        // SQLite would take it, and find pages of two times.
        return Err(wrong_file(request, &beside(path, "-wal"), Misfit::Foreign.reason()));
    }
    Ok(Left { found, wal })
}

/// What the `-wal` holds, if there is one. To be called while no connection of this process has the file open: closing what is opened here
/// would drop SQLite's locks.
pub(crate) fn scan_wal(path: &Path) -> io::Result<Option<WalScan>> {
    match fs::File::open(beside(path, "-wal")) {
        Ok(wal) => {
            let bytes = wal.metadata()?.len();
            let mut scan = wal::scan(io::BufReader::with_capacity(1 << 16, wal), bytes)?;
            scan.index = Index::parse(index_bytes(path).as_deref());
            scan.is_in_file = is_in_file(path, &scan)?;
            Ok(Some(scan))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the file has all that SQLite would take of its `-wal`.
fn is_in_file(path: &Path, scan: &WalScan) -> io::Result<bool> {
    match fs::File::open(path) {
        Ok(database) => scan.changes_nothing(fs::File::open(beside(path, "-wal"))?, database),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A file of a newer larder.
pub(super) fn newer(request: &OpenRequest, path: &Path, found: i64) -> LoadError {
    LoadError::NewerFormat { store: request.name.clone(), found, known: meta::FORMAT, file: path.to_owned() }
}

/// Makes the folders of a new store survive power loss, where that was asked for; the store's own is synced with every first write.
pub(super) fn sync_new(request: &OpenRequest, path: &Path) -> io::Result<()> {
    if request.options.durability != Durability::Power {
        return Ok(());
    }
    // The file's folder is synced already. The folder of all stores, and the data dir; what is around it was synced when it was made.
    folder::of(path).ancestors().skip(1).take(2).try_for_each(folder::sync)
}

/// A failure of the file system while loading.
pub(super) fn io(request: &OpenRequest, path: &Path, error: &io::Error) -> LoadError {
    storage(request, &SqliteError::from_io(path, error), error.to_string(), path.to_owned())
}
