//! Whether the file at a path is still the one that was opened there.

use std::{fs, io, path::Path};

/// Tells a file from every other one that exists at the same time. Where the system does not say, all are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    #[cfg(unix)]
    place: (u64, u64),
}

/// What stands at the path of a file that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The file itself, as far as can be told.
    Same,
    /// Nothing.
    Gone,
    /// Another file.
    Other,
}

impl FileId {
    /// Of the file at `path`.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        fs::symlink_metadata(path).map(|found| Self::from_metadata(&found))
    }

    /// Of an open file.
    pub(crate) fn of_open(file: &fs::File) -> io::Result<Self> {
        file.metadata().map(|found| Self::from_metadata(&found))
    }

    #[cfg(unix)]
    fn from_metadata(found: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { place: (found.dev(), found.ino()) }
    }

    #[cfg(not(unix))]
    fn from_metadata(_: &fs::Metadata) -> Self {
        Self {}
    }

    /// What stands there now.
    pub(crate) fn look(self, path: &Path) -> Standing {
        match Self::of(path) {
            Ok(found) if found != self => Standing::Other,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Standing::Gone,
            // Whoever opens it hears of another failure.
            Ok(_) | Err(_) => Standing::Same,
        }
    }
}
