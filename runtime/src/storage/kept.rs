//! What is kept of a store's files when SQLite changes or removes it: a `-wal` of which not all is taken, and what the `-shm` said.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{folder::remove_if_there, lock::beside, wal};

/// The ending of a `-wal` that is kept.
pub(crate) const KEPT_WAL: &str = "-wal.damaged";

/// Keeps a copy of a `-wal` that holds commits which SQLite does not take: it goes when the store goes on.
pub(crate) fn keep_wal(path: &Path) -> io::Result<PathBuf> {
    let kept = beside(path, KEPT_WAL);
    fs::copy(beside(path, "-wal"), &kept)?;
    Ok(kept)
}

/// The part of the `-shm` that is looked at; nothing of one that cannot be read, `None` when there is none.
pub(crate) fn index_bytes(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(wal::INDEX_BYTES);
    match fs::File::open(beside(path, "-shm")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        file => drop(file.and_then(|file| file.take(wal::INDEX_BYTES as u64).read_to_end(&mut bytes))),
    }
    Some(bytes)
}

/// What was beside a store's file before SQLite came, which makes the `-shm` anew and a `-wal` where there is none: unless an opening goes
/// on with the file, the next one is to see the same. To be dropped when SQLite has closed the file, and before the lock is given back.
pub(crate) struct Before {
    path: PathBuf,
    index: Option<Vec<u8>>,
    has_wal: bool,
    aside: bool,
    forgotten: bool,
}

impl Before {
    /// Of the store's file in `path`, which no connection has open.
    pub(crate) fn of(path: &Path) -> Self {
        let has_wal = fs::symlink_metadata(beside(path, "-wal")).is_ok();
        Self { path: path.to_owned(), index: index_bytes(path), has_wal, aside: false, forgotten: false }
    }

    /// Moves a `-wal` away that SQLite is not to read.
    pub(crate) fn set_wal_aside(&mut self) -> io::Result<()> {
        fs::rename(beside(&self.path, "-wal"), beside(&self.path, KEPT_WAL))?;
        self.aside = true;
        Ok(())
    }

    /// An opening goes on with the file. A `-wal` that was set aside is kept only if something is lost with it.
    pub(crate) fn forget(&mut self, lost: bool) {
        self.forgotten = true;
        if self.aside && !lost {
            let _ = remove_if_there(&beside(&self.path, KEPT_WAL));
        }
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        let wal = beside(&self.path, "-wal");
        let written = fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0);
        if self.forgotten || (written && (self.aside || !self.has_wal)) {
            // What was written since, and could not be moved into the file, belongs to it.
            return;
        }
        if self.aside {
            // Where that fails the file says at the next opening that its `-wal` is missing.
            let _ = fs::rename(beside(&self.path, KEPT_WAL), &wal);
        }
        if !self.has_wal {
            // SQLite makes an empty one, and then it is not missed any more.
            let _ = remove_if_there(&wal);
        }
        // Where that fails less is known of what is lost, and nothing more is lost.
        let index = beside(&self.path, "-shm");
        let _ = match &self.index {
            Some(bytes) => fs::write(index, bytes),
            None => remove_if_there(&index),
        };
    }
}
