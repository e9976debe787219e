//! The data directory: one server at a time, and a log that went back is noticed.
//!
//! A number is kept in the log and, beside it, in the file `generation`. Each start and each clean end raises both, the log's first. A log whose
//! number is below the directory's or further ahead than by one, or that was never in it, is a copy: it gets a new identity, because clients that have seen more would wait
//! for ever. A file copied while a server runs that is then killed has the directory's number: that is not noticed.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write as _,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension as _};

use super::schema::{self, new_identity};
use crate::storage::StorageError;

/// A locked data directory.
pub(super) struct Place {
    folder: PathBuf,
    _lock: File,
}

impl Place {
    /// Locks a directory for this process, and makes it where there is none.
    pub(super) fn lock(folder: &Path) -> Result<Self, StorageError> {
        let failed = |error: std::io::Error| StorageError::Open(format!("{}: {error}", folder.display()));
        make_folder(folder).map_err(failed)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StorageError::Open(format!(
                "{} is another server's that is running; stop it, or give another directory",
                folder.display()
            ))),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The log's file.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log.sqlite")
    }

    /// What SQLite keeps beside it.
    pub(super) fn write_ahead_log(&self) -> PathBuf {
        self.folder.join("log.sqlite-wal")
    }

    /// Refuses a directory whose log is gone, or is nothing but a name: an empty one in its place would make clients begin anew, and give up what
    /// they have. SQLite must not come to it before: beside an empty file it removes the write-ahead log.
    pub(super) fn check(&self) -> Result<(), StorageError> {
        if self.generation()?.is_none() || schema::is_made(&self.log())? { Ok(()) } else { Err(self.gone()) }
    }

    fn gone(&self) -> StorageError {
        StorageError::Open(format!(
            "{} is gone or empty, and this directory had one; put it back, or run `larder-server restore --from` with a backup; remove the file \
             `generation` beside it to begin with an empty one",
            self.log().display()
        ))
    }

    /// The log's identity: a new one if the log went back. Raises the number of both. A start that was to do so and could not has raised the
    /// log's alone, which is made good first: however many starts fail, the log is never further ahead.
    pub(super) fn settle(&mut self, connection: &mut Connection) -> Result<String, StorageError> {
        let path = self.log();
        let failed = |error: rusqlite::Error| schema::opening(&path, &error);
        // A backup has no number.
        let in_log: Option<u64> = value(connection, "generation").map_err(failed)?.and_then(|text| text.parse().ok());
        let mut in_folder = self.generation()?;
        if let (Some(in_log), Some(behind)) = (in_log, in_folder)
            && in_log == behind + 1
        {
            self.note(in_log)?;
            in_folder = Some(in_log);
        }
        let is_a_copy = match (in_log, in_folder) {
            (None, _) => true,
            (Some(in_log), Some(in_folder)) => in_log != in_folder,
            // A new log in a new directory; any other was somewhere else before.
            (Some(in_log), None) => in_log > 0,
        };
        if is_a_copy {
            tracing::warn!(
                "the log is a copy, or not the one that this directory has seen last; it gets a new identity"
            );
        }
        let next = in_log.max(in_folder).unwrap_or(0) + 1;
        self.write(connection, next, is_a_copy.then(new_identity))?;
        let identity = value(connection, "identity").map_err(failed)?;
        identity.ok_or_else(|| StorageError::Damaged("it has no identity".to_owned()))
    }

    /// Raises the number of both, after the last write: a copy from before that went back.
    pub(super) fn count(&self, connection: &mut Connection) -> Result<(), StorageError> {
        let next = self.generation()?.unwrap_or(0) + 1;
        self.write(connection, next, None)
    }

    /// Writes the number into both, the log first, and with it a new identity.
    pub(super) fn write(
        &self,
        connection: &mut Connection,
        generation: u64,
        identity: Option<String>,
    ) -> Result<(), StorageError> {
        let path = self.log();
        let failed = |error: rusqlite::Error| schema::opening(&path, &error);
        let transaction = connection.transaction().map_err(failed)?;
        let set =
            "INSERT INTO server (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        transaction.execute(set, ("generation", generation.to_string())).map_err(failed)?;
        if let Some(identity) = identity {
            transaction.execute(set, ("identity", identity)).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        self.note(generation)
    }

    /// The number beside the log, if the directory ever had one.
    pub(super) fn generation(&self) -> Result<Option<u64>, StorageError> {
        let path = self.folder.join("generation");
        match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map(Some).map_err(|_| {
                StorageError::Open(format!("{} is not a number; run `larder-server restore`", path.display()))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::Open(format!("{}: {error}", path.display()))),
        }
    }

    /// Writes the number beside the log.
    fn note(&self, generation: u64) -> Result<(), StorageError> {
        let noted = self.replace_number(generation);
        noted.map_err(|error| StorageError::Open(format!("{}: {error}", self.folder.display())))
    }

    fn replace_number(&self, generation: u64) -> std::io::Result<()> {
        let (new, old) = (self.folder.join("generation.new"), self.folder.join("generation"));
        let mut file = File::create(&new)?;
        writeln!(file, "{generation}")?;
        file.sync_all()?;
        fs::rename(new, old)?;
        sync_folder(&self.folder)
    }
}

/// Whether there is a file, and something in it.
pub(super) fn has_bytes(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.len() > 0)
}

fn value(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection.query_row("SELECT value FROM server WHERE name = ?1", [name], |row| row.get(0)).optional()
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_folder: &Path) -> std::io::Result<()> {
    Ok(())
}
