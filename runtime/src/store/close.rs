//! Stopping and closing.

use std::sync::{PoisonError, atomic::Ordering};

use super::{Engine, Writer};
use crate::{
    error::StoreError,
    storage::{
        lock::MarkerState,
        sqlite::{Checkpoint, Place, SqliteError},
    },
};

impl Engine {
    /// Later calls answer `error`, running reads are interrupted, a commit in progress ends. Never waits.
    pub(crate) fn stop_accepting(&self, error: StoreError) {
        self.gate.stop(error);
        self.reads.interrupt();
        self.watchers.wake_all();
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
        self.watchers.wake_all();
        self.close_writer(writer).map_err(|error| {
            let name = self.name();
            tracing::warn!(store = name.definition(), id = name.id().as_str(), %error, "closing a store failed");
            StoreError::Stopped { store: self.store(), reason: format!("closing it failed: {error}") }
        })
    }

    fn close_writer(&self, writer: Writer) -> Result<(), SqliteError> {
        let Writer { mut connection, lock, .. } = writer;
        let Some(mut lock) = lock else { return connection.close() };
        if self.suspect.load(Ordering::Relaxed) {
            ignore(lock.mark_suspect());
        }
        let moved = connection.checkpoint(Checkpoint::Truncate);
        if moved.is_ok() {
            // From here on nothing is in the `-wal`, and nothing will be: a crash before the end of closing is a clean close.
            ignore(lock.mark_state(MarkerState::Closed));
        }
        connection.close()?;
        if moved.is_err() && !self.has_wal() {
            // SQLite could checkpoint at last.
            ignore(lock.mark_state(MarkerState::Closed));
        }
        moved
    }

    fn has_wal(&self) -> bool {
        match &self.shared.place {
            Place::File(path) => crate::storage::lock::beside(path, "-wal").exists(),
            Place::Memory => false,
        }
    }

    /// The next load rebuilds the tables: they are damaged, or differ from the log.
    pub(super) fn mark_suspect(&self) {
        self.suspect.store(true, Ordering::Relaxed);
        // The writer may be busy with the very call that found the damage; then closing writes the mark.
        if let Ok(mut slot) = self.writer.try_lock()
            && let Some(lock) = slot.as_mut().and_then(|writer| writer.lock.as_mut())
        {
            ignore(lock.mark_suspect());
        }
    }
}

/// A marker that cannot be written is the one of before: at worst the next opener looks for a `-wal` that is not needed, or the
/// damage is found again when it is touched again.
fn ignore(marked: std::io::Result<()>) {
    drop(marked);
}
