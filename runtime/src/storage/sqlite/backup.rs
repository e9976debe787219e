//! Backup of a whole database into a new file.

use std::path::Path;

use rusqlite::backup::{Backup, StepResult};

use super::{Connection, OpenFlags, SqliteError, SqliteErrorKind, make_private, real_path};
use crate::storage::folder;

/// Pages copied in one step: 1 MiB.
const STEP_PAGES: i32 = 256;

impl Connection {
    /// Copies the database, as it stands at the call, into a file that must not exist. The file is complete and on disk when this
    /// returns; after an error it is gone. It ends with [`SqliteErrorKind::Interrupted`] as soon as `go_on` says no.
    pub(crate) fn backup_to(&mut self, path: &Path, go_on: &dyn Fn() -> bool) -> Result<(), SqliteError> {
        if path.symlink_metadata().is_ok() {
            return Err(SqliteError::new(SqliteErrorKind::CannotOpen, "it exists already"));
        }
        make_private(path)?;
        self.copy_to(path, go_on).inspect_err(|_| {
            // What is left of a failed backup is no backup.
            let _ = std::fs::remove_file(path);
        })
    }

    fn copy_to(&mut self, path: &Path, go_on: &dyn Fn() -> bool) -> Result<(), SqliteError> {
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut target = rusqlite::Connection::open_with_flags(real_path(path), flags)?;
        // The read transaction keeps one state for all steps, whoever writes meanwhile.
        let reading = !self.in_transaction();
        if reading {
            self.batch("BEGIN; SELECT count(*) FROM sqlite_schema")?;
        }
        let copied = copy(&self.sqlite, &mut target, go_on);
        if reading {
            self.batch("COMMIT")?;
        }
        copied?;
        target.close().map_err(|(_, error)| error)?;
        sync(path)
    }
}

fn copy(
    from: &rusqlite::Connection,
    to: &mut rusqlite::Connection,
    go_on: &dyn Fn() -> bool,
) -> Result<(), SqliteError> {
    let backup = Backup::new(from, to)?;
    loop {
        if !go_on() {
            return Err(SqliteError::new(SqliteErrorKind::Interrupted, "interrupted"));
        }
        match backup.step(STEP_PAGES)? {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            _ => return Err(SqliteError::new(SqliteErrorKind::Busy, "the database is busy")),
        }
    }
}

fn sync(path: &Path) -> Result<(), SqliteError> {
    let synced = std::fs::File::options().write(true).open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| SqliteError::of_sync(path, &error))?;
    folder::sync_once(folder::of(path))
}
