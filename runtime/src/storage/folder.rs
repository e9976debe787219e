//! The folders that files are in.

use std::{fs, io, path::Path};

use super::sqlite::SqliteError;

/// The folder that a file is in.
pub(crate) fn of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes a file; one that is not there is none to remove.
pub(crate) fn remove_if_there(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the names in a folder survive power loss.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder is no file; its names are as safe as the file system makes them.
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The same, and says whether it was the sync that failed: after one what was written before may be lost, and a second one that works
/// says nothing about that.
pub(crate) fn sync_once(folder: &Path) -> Result<(), SqliteError> {
    if cfg!(unix) {
        let opened = fs::File::open(folder).map_err(|error| SqliteError::from_io(folder, &error))?;
        opened.sync_all().map_err(|error| SqliteError::of_sync(folder, &error))?;
    }
    Ok(())
}
