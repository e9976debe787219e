//! The one connection that writes, and where its log ends.

use super::{checkpoint::WalWatch, seal::Seal};
use crate::{
    change::RowChange,
    event::{ClientId, EventId, EventNumber, SessionId},
    seeded,
    storage::{
        change_records::{self, Keeper, Undoer, Undone},
        eventlog::{self, Appended, AuthorRow, ChainKey, LogHead, last_of, place_of},
        meta,
        sqlite::{Checkpoint, Connection, Moved, SqliteError},
    },
    table::TableSchema,
};

/// The one connection that writes.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    /// Of a file; memory needs none.
    pub(super) seal: Option<Seal>,
    pub(crate) key: ChainKey,
    pub(crate) tip: Tip,
    pub(super) wal: WalWatch,
    /// Of a store with a backend; others have no room for one.
    keeper: Option<Box<Keeper>>,
    /// The file has room for change records, or has none, as it is to be.
    set_up: bool,
    /// Somebody is told what the commit that runs changes.
    heard: bool,
    /// Recording began in the transaction that runs, and ends with it if that is rolled back.
    recording_here: bool,
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
    pub(super) fn new(
        connection: Connection,
        seal: Option<Seal>,
        key: ChainKey,
        head: LogHead,
        keeper: Option<Keeper>,
    ) -> Self {
        // What loading wrote, as a rebuild does, is in the `-wal` and for an idle store to move.
        let wal = WalWatch::new(connection.wal_pages());
        let (keeper, scratch) = (keeper.map(Box::new), Vec::new());
        let (set_up, heard, recording_here) = (false, false, false);
        Self { connection, seal, key, tip: Tip::new(head), wal, keeper, set_up, heard, recording_here, scratch }
    }

    /// Before a transaction: records what changes if somebody is to be told of it, or to undo it.
    ///
    /// # Errors
    /// Then the connection records as before: nothing, or too much.
    pub(super) fn follow(&mut self, heard: bool, tables: &[&'static TableSchema]) -> Result<(), SqliteError> {
        self.heard = heard;
        match (self.connection.is_capturing(), heard || self.keeper.is_some()) {
            (false, true) => self.connection.start_capture(tables)?,
            (true, false) => self.connection.stop_capture()?,
            _ => {}
        }
        Ok(())
    }

    /// Whether somebody was told what the last commit changed.
    pub(super) fn is_heard(&self) -> bool {
        self.heard
    }

    /// Nobody is told any more what the transaction changes: it is too much.
    pub(super) fn stop_hearing(&mut self) {
        self.heard = false;
    }

    /// Before a transaction that makes the tables anew: records nothing.
    ///
    /// # Errors
    /// Then the connection records as before.
    pub(super) fn hear_nothing(&mut self) -> Result<(), SqliteError> {
        self.heard = false;
        self.connection.stop_capture()
    }

    /// In such a transaction, where the tables are made: records from here on what may have to be undone.
    pub(super) fn keep_from_here(&mut self, tables: &[&'static TableSchema]) -> Result<(), SqliteError> {
        if self.keeper.is_some() {
            self.recording_here = true;
            self.connection.start_capture(tables)?;
        }
        Ok(())
    }

    /// All that the transaction changed, unless nobody was to be told, or it is too much.
    pub(super) fn take_heard(&mut self) -> Option<Vec<RowChange>> {
        let whole = self.heard && self.connection.is_capturing() && !self.connection.changes_overflown();
        let changes = self.connection.take_changes();
        whole.then_some(changes)
    }

    /// Keeps what the event has changed since `mark`, until it is confirmed.
    pub(super) fn keep_changes(&mut self, number: EventNumber, mark: usize) -> Result<(), SqliteError> {
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        keeper.keep(&mut self.connection, place_of(number), mark)?;
        if !self.heard {
            self.connection.changes_truncate(mark);
        }
        Ok(())
    }

    /// Undoes an event by its change record.
    pub(super) fn undo(&mut self, undoer: &Undoer, place: i64) -> Result<Undone, SqliteError> {
        match &self.keeper {
            Some(keeper) => undoer.undo(&mut self.connection, keeper, place),
            None => Ok(Undone::No),
        }
    }

    /// Forgets what the events from `first` on have changed, if the transaction is committed.
    pub(super) fn forget_changes_from(&mut self, first: EventNumber) -> Result<(), SqliteError> {
        match &mut self.keeper {
            Some(keeper) => keeper.forget_from(&mut self.connection, place_of(first)),
            None => Ok(()),
        }
    }

    /// The events behind `tip` were taken back, and what was recorded since `mark` with them, inside of the transaction that appended them.
    pub(super) fn taken_back(&mut self, tip: &Tip, mark: usize) {
        self.connection.changes_truncate(mark);
        self.keeper.iter_mut().for_each(|keeper| keeper.take_back(place_of(tip.head.number)));
    }

    /// Whether there are so many change records in memory that they are to be stored.
    pub(super) fn is_full_of_changes(&self) -> bool {
        self.keeper.as_ref().is_some_and(|keeper| keeper.is_full())
    }

    /// Stores the change records that are in memory, in a transaction of its own.
    ///
    /// # Errors
    /// Then they are in memory as before; the transaction is to be rolled back.
    pub(super) fn store_changes(&mut self) -> Result<(), SqliteError> {
        if !self.keeper.as_ref().is_some_and(|keeper| keeper.has_recent()) {
            return Ok(());
        }
        self.begin()?;
        if let Some(keeper) = &mut self.keeper {
            keeper.store(&mut self.connection)?;
        }
        self.commit()?;
        self.keeper.iter_mut().for_each(|keeper| keeper.stored());
        Ok(())
    }

    /// Writes into the transaction that all events up to `global` are confirmed.
    pub(super) fn note_confirmed(&mut self, global: u64) -> Result<(), SqliteError> {
        meta::put_confirmed(&mut self.connection, global)?;
        match &mut self.keeper {
            Some(keeper) => keeper.confirm(&mut self.connection, place_of(last_of(global))),
            None => Ok(()),
        }
    }

    /// Writes into the transaction that the log has fewer events than before it.
    pub(super) fn note_fewer_events(&mut self, events: u64) -> Result<(), SqliteError> {
        match &mut self.seal {
            Some(seal) => seal.note_fewer_events(&mut self.connection, events),
            None => Ok(()),
        }
    }

    /// What was noted as confirmed is committed.
    pub(super) fn confirmed(&mut self, global: u64) {
        self.keeper.iter_mut().for_each(|keeper| keeper.confirmed(place_of(last_of(global))));
    }

    pub(crate) fn begin(&mut self) -> Result<(), SqliteError> {
        if let Some(seal) = &mut self.seal {
            seal.open()?;
        }
        if seeded::bug("acknowledged-before-commit") && self.connection.in_transaction() {
            self.connection.execute("COMMIT", &[])?;
        }
        self.connection.begin_writing()?;
        if let Some(seal) = &mut self.seal {
            seal.sign(&mut self.connection, self.tip.head.ordinal)?;
        }
        if self.set_up { Ok(()) } else { change_records::set_up(&mut self.connection, self.keeper.is_some()) }
    }

    pub(crate) fn commit(&mut self) -> Result<(), SqliteError> {
        seeded::tables_before_log(&mut self.connection, place_of(self.tip.head.number))?;
        if !seeded::bug("acknowledged-before-commit") {
            self.connection.execute("COMMIT", &[])?;
        }
        (self.set_up, self.recording_here) = (true, false);
        self.keeper.iter_mut().for_each(|keeper| keeper.committed());
        self.seal.iter_mut().for_each(|seal| seal.ended(true));
        Ok(())
    }

    /// Commits a transaction after which the log ends at `tip`.
    pub(super) fn commit_to(&mut self, tip: Tip) -> Result<(), SqliteError> {
        self.commit()?;
        self.tip = tip;
        Ok(())
    }

    /// Ends a transaction without a trace. SQLite may have rolled back by itself; a rollback that fails has nothing to undo.
    pub(crate) fn roll_back(&mut self) {
        if self.connection.in_transaction() {
            let end = if seeded::bug("failed-commit-kept") { "COMMIT" } else { "ROLLBACK" };
            let _ = self.connection.execute(end, &[]);
        }
        self.connection.changes_truncate(0);
        self.keeper.iter_mut().for_each(|keeper| keeper.rolled_back());
        if std::mem::take(&mut self.recording_here) {
            // Its triggers are gone with the transaction; what fails here is begun anew by the next one.
            let _ = self.connection.stop_capture();
        }
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
        self.keeper.iter_mut().for_each(|keeper| keeper.release_memory());
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
        self.append_by(tip, &author, event)
    }

    /// Appends one event of any author to the log, behind `tip`.
    pub(super) fn append_by(
        &mut self,
        tip: &mut Tip,
        author: &AuthorRow,
        event: Appended<'_>,
    ) -> Result<(), SqliteError> {
        tip.head = eventlog::append(&mut self.connection, &self.key, &tip.head, author, event, &mut self.scratch)?;
        Ok(())
    }
}
