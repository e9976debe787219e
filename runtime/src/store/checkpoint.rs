//! Checkpoints and maintenance: never left to a random commit.

use std::sync::{Arc, Weak};

use super::{Engine, Writer};
use crate::{
    error::StoreError,
    storage::sqlite::{Access, Checkpoint, Connection, Place, SqliteError, SqliteErrorKind},
};

/// From this size on a passive checkpoint runs in the background.
const BACKGROUND_BYTES: u64 = 4 << 20;

/// From this size on a commit checkpoints by itself: the background does not keep up.
const COMMIT_BYTES: u64 = 16 << 20;

/// Commits between two looks at the size. A small commit writes about 12 KiB, so this is well below a megabyte.
const COMMITS_BETWEEN_LOOKS: u32 = 64;

/// When to look at the size of the `-wal`.
#[derive(Debug, Default)]
pub(crate) struct WalWatch {
    commits: u32,
    pub(super) scheduled: bool,
}

impl WalWatch {
    /// Whether it is time to look. `heavy` commits are looked at at once.
    fn due(&mut self, heavy: bool) -> bool {
        self.commits += 1;
        let due = heavy || self.commits >= COMMITS_BETWEEN_LOOKS;
        if due {
            self.commits = 0;
        }
        due
    }
}

impl Engine {
    /// After a group: looks at the size of the `-wal` now and then.
    pub(super) fn after_commit(self: &Arc<Self>, writer: &mut Writer, events: usize) {
        if self.shared.place == Place::Memory || !writer.wal.due(events >= 64) {
            return;
        }
        let bytes = writer.connection.wal_bytes();
        if bytes >= COMMIT_BYTES {
            let done = writer.connection.checkpoint(Checkpoint::Passive);
            self.look_at(done.err());
        } else if bytes >= BACKGROUND_BYTES && !writer.wal.scheduled {
            writer.wal.scheduled = true;
            let engine = Arc::downgrade(self);
            // Nobody waits for it: it runs by itself.
            drop(self.shared.runtime.spawn_blocking(move || checkpoint_in_background(&engine)));
        }
    }

    /// Blocking work for an idle store: a passive checkpoint, readers closed, caches released. To be called about a second
    /// after the host heard that the store is busy.
    pub(crate) fn maintain(&self) -> Maintained {
        if !self.settle() {
            return Maintained::StillBusy;
        }
        self.checkpoint_aside();
        self.shared.pool.close_idle(self.shared.pool_key);
        if let Ok(mut slot) = self.writer.try_lock()
            && let Some(writer) = slot.as_mut()
        {
            writer.connection.release_memory();
        }
        Maintained::Idle
    }

    /// A passive checkpoint on a connection of its own, so that commits go on.
    fn checkpoint_aside(&self) {
        let Place::File(_) = &self.shared.place else { return };
        let _one_at_a_time = self.maintenance.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.gate.check_write().is_err() {
            return;
        }
        let access = Access::Writer { create: false, durability: self.shared.options.durability };
        let done = Connection::open(&self.shared.place, access).and_then(|mut connection| {
            let done = connection.checkpoint(Checkpoint::Passive);
            connection.close().and(done)
        });
        self.look_at(done.err());
    }

    fn look_at(&self, error: Option<SqliteError>) {
        match error {
            // Somebody else checkpoints, or there is no descriptor left: a later one will do.
            None => {}
            Some(error) if matches!(error.kind, SqliteErrorKind::Busy | SqliteErrorKind::TooManyOpenFiles) => {}
            Some(error) if error.kind == SqliteErrorKind::SyncFailed => {
                self.gate.poison(StoreError::Poisoned { store: self.store(), reason: error.message });
            }
            Some(error) => {
                let store = self.name();
                tracing::warn!(store = store.definition(), id = store.id().as_str(), %error, "a checkpoint failed");
                self.notice(&error);
            }
        }
    }
}

/// What [`Engine::maintain`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maintained {
    /// There were calls since the last look: call again in about a second.
    StillBusy,
    /// The store is idle. The host hears of the next call.
    Idle,
}

fn checkpoint_in_background(engine: &Weak<Engine>) {
    let Some(engine) = engine.upgrade() else { return };
    engine.checkpoint_aside();
    if let Some(writer) = engine.lock_writer().as_mut() {
        writer.wal.scheduled = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_looked_at_now_and_then() {
        let mut watch = WalWatch::default();
        assert!((1..COMMITS_BETWEEN_LOOKS).all(|_| !watch.due(false)));
        assert!(watch.due(false));
        assert!(watch.due(true));
        assert!(!watch.due(false));
    }
}
