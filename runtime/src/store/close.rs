//! Stopping and closing.

use std::sync::{PoisonError, atomic::Ordering};

use super::{Engine, Writer};
use crate::{
    error::StoreError,
    seeded,
    storage::{same_file::Standing, sqlite::SqliteError},
};

impl Engine {
    /// Later calls answer `error`, running reads are interrupted, a commit in progress ends. Never waits.
    pub(crate) fn stop_accepting(&self, error: StoreError) {
        self.gate.stop(error);
        if !seeded::bug("reads-not-interrupted") {
            self.reads.interrupt();
        }
        self.shared.pool.wake();
        self.wake_everybody();
    }

    /// Closes the file, after the commit and the reads in progress: everything is in the store's file, and the lock is
    /// released. Blocks; a second call finds nothing to do.
    ///
    /// # Errors
    /// When the last checkpoint failed. What was committed is safe in the `-wal`.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        self.stop_accepting(StoreError::Closed { store: self.store() });
        let _no_maintenance = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writer) = self.lock_writer().take() else { return Ok(()) };
        self.reads.wait();
        self.shared.pool.close_idle(self.shared.pool_key);
        self.wake_everybody();
        self.close_writer(writer).map_err(|error| {
            let name = self.name();
            tracing::warn!(store = name.definition(), id = name.id().as_str(), %error, "closing a store failed");
            StoreError::Stopped { store: self.store(), reason: format!("closing it failed: {error}") }
        })
    }

    fn close_writer(&self, mut writer: Writer) -> Result<(), SqliteError> {
        let is_file = writer.seal.is_some();
        if is_file && self.standing() == Standing::Other {
            // What stands beside the file belongs to the other one now, as far as can be told.
            writer.connection.keep_wal_at_close(true)?;
            return writer.connection.close();
        }
        // The next load makes the tables of a suspect store anew, and these records with them.
        let is_rebuilt = self.suspect.load(Ordering::Relaxed) || self.sync_failed.load(Ordering::Relaxed);
        if is_file && !is_rebuilt && !seeded::bug("change-records-lost-at-close") {
            self.store_changes(&mut writer);
        }
        let Writer { connection, seal, tip, .. } = writer;
        let Some(mut seal) = seal else { return connection.close() };
        if self.suspect.load(Ordering::Relaxed) {
            seal.mark_suspect();
        }
        if self.sync_failed.load(Ordering::Relaxed) {
            seal.note_failed_sync();
        }
        seal.note_events(tip.head.ordinal);
        seal.close(connection)
    }

    /// The next load rebuilds the tables: they are damaged, or differ from the log.
    pub(super) fn mark_suspect(&self) {
        self.suspect.store(true, Ordering::Relaxed);
        // The writer may be busy with the very call that found the damage; then closing writes the mark.
        if let Ok(mut slot) = self.writer.try_lock()
            && let Some(seal) = slot.as_mut().and_then(|writer| writer.seal.as_mut())
        {
            seal.mark_suspect();
        }
    }
}
