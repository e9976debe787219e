//! The write-ahead log of a file: checkpoints and size.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use rusqlite::{config::DbConfig, wal::CheckpointMode};

use super::{Connection, SqliteError};

/// How far a checkpoint goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checkpoint {
    /// As far as possible without waiting for anybody.
    Passive,
    /// All of it, and the `-wal` is cut to no bytes; busy while somebody reads.
    Truncate,
}

/// What transactions wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syncs {
    /// Nothing: for what no acknowledged commit rests on.
    None,
    /// The disk.
    EveryCommit,
}

/// What a checkpoint left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// The file has all of the `-wal`.
    All,
    /// A reader needs what the file has, or somebody else checkpoints.
    Part,
}

impl Connection {
    /// Copies pages from the `-wal` into the file.
    pub(crate) fn checkpoint(&mut self, mode: Checkpoint) -> Result<Moved, SqliteError> {
        let mode = match mode {
            Checkpoint::Passive => CheckpointMode::PASSIVE,
            Checkpoint::Truncate => CheckpointMode::TRUNCATE,
        };
        let (logged, moved) = self.sqlite.wal_checkpoint_v2(rusqlite::DEFAULT_NAME, mode)?;
        Ok(if logged == moved { Moved::All } else { Moved::Part })
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

    /// Runs something that waits for the disk in another way than usual.
    pub(crate) fn with_syncs<R>(
        &mut self,
        syncs: Syncs,
        run: impl FnOnce(&mut Self) -> Result<R, SqliteError>,
    ) -> Result<R, SqliteError> {
        let usual = self.integer("PRAGMA synchronous", &[])?.unwrap_or(2);
        self.batch(match syncs {
            Syncs::None => "PRAGMA synchronous = OFF",
            Syncs::EveryCommit => "PRAGMA synchronous = FULL",
        })?;
        let done = run(self);
        self.batch(&format!("PRAGMA synchronous = {usual}"))?;
        done
    }

    /// The size of a page.
    pub(crate) fn page_bytes(&mut self) -> Result<u32, SqliteError> {
        let bytes = self.integer("PRAGMA page_size", &[])?;
        Ok(bytes.and_then(|bytes| u32::try_from(bytes).ok()).unwrap_or(0))
    }

    /// Pages in the `-wal` after the last commit of this connection, also those that are in the file already and will be
    /// overwritten next; 0 unless it is watched.
    pub(crate) fn wal_pages(&self) -> u32 {
        self.wal_pages.as_ref().map_or(0, |pages| pages.load(Ordering::Relaxed))
    }
}
