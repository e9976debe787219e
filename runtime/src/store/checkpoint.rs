//! Checkpoints and maintenance: never left to a random commit.

use std::sync::{Arc, Weak};

use super::{Engine, Writer, open::set_up_writer, seal::Seal};
use crate::{
    seeded,
    storage::{
        eventlog::LogHead,
        sqlite::{Access, Checkpoint, Connection, Moved, Place, SqliteError, SqliteErrorKind},
    },
};

/// After so many pages of `-wal` (4 MiB) a passive checkpoint runs in the background.
const BACKGROUND_PAGES: u32 = 1_024;

/// From so many on (16 MiB) a commit checkpoints by itself. While commits go on the background is always some pages behind, and
/// SQLite starts the `-wal` over only when none is left; so this one is mostly short.
const COMMIT_PAGES: u32 = 4_096;

/// What is known of the `-wal` between two commits.
#[derive(Debug, Default)]
pub(crate) struct WalWatch {
    /// A checkpoint in the background is on its way.
    scheduled: bool,
    /// Pages when the last checkpoint was begun. Those stay counted until a commit starts the `-wal` over.
    seen: u32,
    /// Pages when a commit last checkpointed; not again at once, when a reader or the background kept it from all of them.
    tried: u32,
    /// There is something in the `-wal` that no checkpoint of an idle store has moved.
    unfinished: bool,
}

/// What a commit is to do about the `-wal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Background,
    Now,
}

impl WalWatch {
    /// After a load that wrote so many pages.
    pub(super) fn new(pages: u32) -> Self {
        Self { unfinished: pages > 0, ..Self::default() }
    }

    #[cfg(test)]
    pub(super) fn is_scheduled(&self) -> bool {
        self.scheduled
    }

    /// All `pages` of the `-wal` are in the file.
    fn finished(&mut self, pages: u32) {
        (self.seen, self.unfinished) = (pages, false);
    }

    /// `pages` are in the `-wal` after a commit.
    fn due(&mut self, pages: u32) -> Due {
        if pages < self.seen.max(self.tried) {
            (self.seen, self.tried) = (0, 0);
        }
        self.unfinished = true;
        match pages - self.seen {
            _ if pages >= COMMIT_PAGES && (self.tried == 0 || pages - self.tried >= BACKGROUND_PAGES) => {
                (self.seen, self.tried) = (pages, pages);
                Due::Now
            }
            new if new >= BACKGROUND_PAGES && !self.scheduled => {
                (self.seen, self.scheduled) = (pages, true);
                Due::Background
            }
            _ => Due::Nothing,
        }
    }
}

impl Engine {
    /// After a group: a checkpoint, if the `-wal` has grown.
    pub(super) fn after_commit(self: &Arc<Self>, writer: &mut Writer) {
        if self.gate.check_write().is_err() {
            // After a failed sync nothing may be moved that rests on it; closing moves the rest of a store that is stopped.
            return;
        }
        if writer.is_full_of_changes() {
            self.store_changes(writer);
        }
        match writer.wal.due(writer.connection.wal_pages()) {
            Due::Nothing => {}
            Due::Now => {
                let done = writer.checkpoint();
                self.look_at(done.err());
            }
            Due::Background => {
                let engine = Arc::downgrade(self);
                // Nobody waits for it: it runs by itself.
                drop(self.shared.runtime.spawn_blocking(move || checkpoint_in_background(&engine)));
            }
        }
    }

    /// Blocking work for an idle store: a passive checkpoint, readers closed, caches released. To be called about a second
    /// after the host heard that the store is busy.
    pub(crate) fn maintain(&self) -> Maintained {
        if !self.settle() {
            return Maintained::StillBusy;
        }
        self.shared.pool.close_idle(self.shared.pool_key);
        // Who commits now makes the store busy again, and the next idleness does this.
        if let Ok(mut slot) = self.writer.try_lock()
            && let Some(writer) = slot.as_mut()
        {
            if self.gate.check_write().is_ok() {
                self.store_changes(writer);
            }
            self.checkpoint_idle(writer);
            self.slim(writer);
        }
        Maintained::Idle
    }

    /// Stores the change records that are in memory. Where that fails they stay there; without them a rebase makes the tables anew.
    pub(super) fn store_changes(&self, writer: &mut Writer) {
        if let Err(error) = writer.store_changes() {
            let store = self.name();
            tracing::warn!(store = store.definition(), id = store.id().as_str(), %error, "change records were not stored");
            self.undo(writer, Some(&error));
            self.notice_write(&error);
        }
    }

    fn checkpoint_idle(&self, writer: &mut Writer) {
        if !writer.wal.unfinished || self.gate.check_write().is_err() || seeded::bug("idle-checkpoint-skipped") {
            return;
        }
        let pages = writer.connection.wal_pages();
        match writer.checkpoint() {
            Ok(Moved::All) => writer.wal.finished(pages),
            // The next idleness moves the rest.
            Ok(Moved::Part) => {}
            Err(error) => self.look_at(Some(error)),
        }
    }

    /// Gives memory back. Some of what SQLite takes to write it keeps until the connection is closed, so a file gets another one, which
    /// has written nothing yet.
    fn slim(&self, writer: &mut Writer) {
        // What the next commit wants to know it asks for.
        if !writer.is_heard()
            && self.gate.check_write().is_ok()
            && let Place::File(_) = &self.shared.place
            && let Some(fresh) = self.fresh_connection(writer)
        {
            let mut used = std::mem::replace(&mut writer.connection, fresh);
            // The other one has the file open, so there is nothing to move into it now and nothing to fail.
            let _ = used.keep_wal_at_close(true);
            let _ = used.close();
        }
        writer.release_memory();
    }

    /// A connection to the same file, which has the same log. None when it cannot be had now: the old one does.
    fn fresh_connection(&self, writer: &Writer) -> Option<Connection> {
        self.check_file().ok()?;
        let access = Access::Writer { create: false, durability: self.shared.options.durability };
        let mut connection = Connection::open(&self.shared.place, access).ok()?;
        // Somebody may have put another file in the place of this one: that stays as it is.
        connection.keep_wal_at_close(true).ok()?;
        let head = connection.once(|connection| LogHead::load(connection, &writer.key)).ok()?;
        if head != writer.tip.head {
            return None;
        }
        // What is kept of a prepared statement is not all given back when it is let go.
        connection.once(set_up_writer).and_then(|()| connection.keep_wal_at_close(false)).ok()?;
        Some(connection)
    }

    /// A passive checkpoint on a connection of its own, so that commits go on.
    fn checkpoint_aside(&self) {
        let Place::File(_) = &self.shared.place else { return };
        let _one_at_a_time = self.maintenance.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.gate.check_write().is_err() || seeded::bug("background-checkpoint-skipped") {
            return;
        }
        let access = Access::Writer { create: false, durability: self.shared.options.durability };
        let opened = self.check_file().and_then(|()| Connection::open(&self.shared.place, access));
        let done = opened.and_then(|mut connection| {
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
            Some(error) => {
                let store = self.name();
                tracing::warn!(store = store.definition(), id = store.id().as_str(), %error, "a checkpoint failed");
                self.notice_write(&error);
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
        writer.seal.iter_mut().for_each(Seal::wal_may_begin_anew);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_due_after_what_was_written_since_the_last() {
        let mut watch = WalWatch::default();
        assert_eq!(watch.due(BACKGROUND_PAGES - 1), Due::Nothing);
        assert_eq!(watch.due(BACKGROUND_PAGES), Due::Background);
        assert_eq!(watch.due(2 * BACKGROUND_PAGES), Due::Nothing);
        watch.scheduled = false;
        assert_eq!(watch.due(2 * BACKGROUND_PAGES), Due::Background);
        assert_eq!(watch.due(COMMIT_PAGES), Due::Now);
        watch.scheduled = false;
        // A reader keeps the log from being started over.
        assert_eq!(watch.due(COMMIT_PAGES + 1), Due::Nothing);
        assert_eq!(watch.due(COMMIT_PAGES + BACKGROUND_PAGES), Due::Now);
        assert_eq!(watch.due(3), Due::Nothing);
        assert_eq!(watch.due(BACKGROUND_PAGES), Due::Background);
    }
}
