//! The one connection that writes, and where its log ends.

use super::{checkpoint::WalWatch, seal::Seal};
use crate::{
    event::{ClientId, EventId, EventNumber, SessionId},
    seeded,
    storage::{
        eventlog::{self, Appended, AuthorRow, ChainKey, LogHead, place_of},
        sqlite::{Checkpoint, Connection, Moved, SqliteError},
    },
};

/// The one connection that writes.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    /// Of a file; memory needs none.
    pub(super) seal: Option<Seal>,
    pub(crate) key: ChainKey,
    pub(crate) tip: Tip,
    pub(super) wal: WalWatch,
    scratch: Vec<u8>,
}

/// Where the log ends, as of the last COMMIT or, on the stack of a commit, as of its last event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tip {
    pub(crate) head: LogHead,
    /// This session's row, once it has committed.
    pub(crate) author: Option<AuthorRow>,
    next_id: u128,
}

impl Tip {
    /// The tip of a log that was just opened. Ids count up from a random number, so they need no random bits of their own.
    pub(crate) fn new(head: LogHead) -> Self {
        Self { head, author: None, next_id: uuid::Uuid::new_v4().as_u128() }
    }

    /// The number and, for a synced event, the id of the next event; `None` when there is no number left.
    pub(crate) fn next(&mut self, client_only: bool) -> Option<(EventNumber, Option<EventId>)> {
        let number = eventlog::following(self.head.number, client_only)?;
        let id = (!client_only).then(|| {
            self.next_id = self.next_id.wrapping_add(1);
            EventId(self.next_id)
        });
        Some((number, id))
    }
}

impl Writer {
    pub(super) fn new(connection: Connection, seal: Option<Seal>, key: ChainKey, head: LogHead) -> Self {
        // What loading wrote, as a rebuild does, is in the `-wal` and for an idle store to move.
        let wal = WalWatch::new(connection.wal_pages());
        Self { connection, seal, key, tip: Tip::new(head), wal, scratch: Vec::new() }
    }

    pub(crate) fn begin(&mut self) -> Result<(), SqliteError> {
        if let Some(seal) = &mut self.seal {
            seal.open()?;
        }
        if seeded::bug("acknowledged-before-commit") && self.connection.in_transaction() {
            self.connection.execute("COMMIT", &[])?;
        }
        self.connection.begin_writing()?;
        self.seal.as_mut().map_or(Ok(()), |seal| seal.sign(&mut self.connection, self.tip.head.ordinal))
    }

    pub(crate) fn commit(&mut self) -> Result<(), SqliteError> {
        seeded::tables_before_log(&mut self.connection, place_of(self.tip.head.number))?;
        if !seeded::bug("acknowledged-before-commit") {
            self.connection.execute("COMMIT", &[])?;
        }
        self.seal.iter_mut().for_each(|seal| seal.ended(true));
        Ok(())
    }

    /// Ends a transaction without a trace. SQLite may have rolled back by itself; a rollback that fails has nothing to undo.
    pub(crate) fn roll_back(&mut self) {
        if self.connection.in_transaction() {
            let end = if seeded::bug("failed-commit-kept") { "COMMIT" } else { "ROLLBACK" };
            let _ = self.connection.execute(end, &[]);
        }
        self.connection.changes_truncate(0);
        self.seal.iter_mut().for_each(|seal| seal.ended(false));
    }

    /// Leaves nothing of a commit that was refused because its sync failed; see [`Seal::overwrite_refused`].
    pub(super) fn overwrite_refused(&mut self) {
        if let Some(seal) = &mut self.seal {
            // Where nothing can be written any more, what is there stays.
            let _ = seal.overwrite_refused(&mut self.connection);
        }
    }

    /// Gives back what an idle writer does not need.
    pub(super) fn release_memory(&mut self) {
        self.connection.release_memory();
        self.scratch = Vec::new();
    }

    /// Checkpoints without waiting for anybody.
    pub(super) fn checkpoint(&mut self) -> Result<Moved, SqliteError> {
        match &mut self.seal {
            Some(seal) => seal.checkpoint(&mut self.connection),
            None => self.connection.checkpoint(Checkpoint::Passive),
        }
    }

    /// Appends one event to the log, behind `tip`.
    pub(crate) fn append(
        &mut self,
        tip: &mut Tip,
        by: (&ClientId, &SessionId),
        event: Appended<'_>,
    ) -> Result<(), SqliteError> {
        let author = match tip.author {
            Some(author) => author,
            None => *tip.author.insert(AuthorRow::ensure(&mut self.connection, by.0, by.1)?),
        };
        tip.head = eventlog::append(&mut self.connection, &self.key, &tip.head, &author, event, &mut self.scratch)?;
        Ok(())
    }
}
