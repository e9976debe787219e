//! The folders that files are in.

use std::{fs, io, path::Path};

/// The folder that a file is in.
pub(crate) fn of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a folder survive power loss.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder is no file; its names are as safe as the file system makes them.
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}
