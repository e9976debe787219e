//! The write-ahead log of a file: checkpoints and size.

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rusqlite::{config::DbConfig, wal::CheckpointMode};

use super::{Connection, Place, SqliteError};

/// How far a checkpoint goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checkpoint {
    /// As far as possible without waiting for anybody.
    Passive,
    /// All of it, and the `-wal` is cut to no bytes; busy while somebody reads.
    Truncate,
}

/// What a checkpoint found and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckpointState {
    /// Pages in the `-wal` (0 in memory).
    pub(crate) pages: u32,
    /// How many of them are in the file now.
    pub(crate) done: u32,
}

impl Connection {
    /// Copies pages from the `-wal` into the file.
    pub(crate) fn checkpoint(&mut self, mode: Checkpoint) -> Result<CheckpointState, SqliteError> {
        let mode = match mode {
            Checkpoint::Passive => CheckpointMode::PASSIVE,
            Checkpoint::Truncate => CheckpointMode::TRUNCATE,
        };
        let (pages, done) = self.sqlite.wal_checkpoint_v2(rusqlite::DEFAULT_NAME, mode)?;
        // SQLite answers -1 where there is no WAL.
        Ok(CheckpointState { pages: u32::try_from(pages).unwrap_or(0), done: u32::try_from(done).unwrap_or(0) })
    }

    /// Whether closing the last connection leaves the `-wal` as it is, instead of moving it into the file.
    pub(crate) fn keep_wal_at_close(&mut self, keep: bool) -> Result<(), SqliteError> {
        self.sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep)?;
        Ok(())
    }

    /// Counts the pages of the `-wal` from now on, in place of SQLite's own checkpoints in the middle of a commit.
    pub(crate) fn watch_wal(&mut self) -> Result<(), SqliteError> {
        let pages = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&pages);
        self.sqlite.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count: std::ffi::c_int| {
            seen.store(u32::try_from(count).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        self.wal_pages = Some(pages);
        Ok(())
    }

    /// Pages in the `-wal` after the last commit of this connection, also those that are in the file already and will be
    /// overwritten next; 0 unless it is watched.
    pub(crate) fn wal_pages(&self) -> u32 {
        self.wal_pages.as_ref().map_or(0, |pages| pages.load(Ordering::Relaxed))
    }

    /// The size of the `-wal` in bytes; 0 when there is none.
    pub(crate) fn wal_bytes(&self) -> u64 {
        self.wal_path().and_then(|path| path.metadata().ok()).map_or(0, |data| data.len())
    }

    fn wal_path(&self) -> Option<PathBuf> {
        match self.place() {
            Place::Memory => None,
            Place::File(path) => {
                let mut name = OsString::from(path);
                name.push("-wal");
                Some(name.into())
            }
        }
    }
}
