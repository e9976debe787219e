//! How a store's files were left, told by four witnesses: the marker in the lock file, the epoch in the file, the `-wal`, and the `-shm`.
//!
//! The epoch counts up in the first transaction of an opening that writes, to an odd number, and in the last one of a clean close, to an
//! even one. Every `-wal` holds it in its first transaction. The marker says the same number, with `open` for an odd one and `closed`
//! for an even one. The `-shm` says after each transaction how long the `-wal` is. SQLite makes both when it opens the file, and then it
//! is written in this order:
//!
//! 1. the folder is synced, so that the names of the `-wal` and the `-shm` are on disk;
//! 2. the marker says `open`, and is not synced;
//! 3. transactions, the first with the odd epoch;
//! 4. at the close a transaction with the even epoch, then everything is moved into the file, which SQLite syncs;
//! 5. the marker says `closed`, and is not synced; the `-shm` and the `-wal` are removed.
//!
//! With the epoch goes the number of events of the log, so that a page that does not show its last rows any more is found: rows in a `-wal`
//! have checksums of its own.
//!
//! A crash of the process keeps all that was written. A loss of power keeps any of what was not synced, in any order: the marker may
//! be of an earlier epoch (or none), the `-wal` may be torn, empty, or one that was removed. Of these:
//!
//! - A `-wal` whose epoch is later than the marker's belongs to the file: only the marker is old. One of the marker's own epoch does
//!   when that is `open`. Any other is the remains of a clean close, all of which the file has, or it is another's. Which, its pages tell.
//! - `open` without a `-wal` is no crash: its name was on disk before `open` was written, and is removed when the file has the even epoch.
//!
//! Whether a `-wal` that fits is all that there was only the `-shm` can tell (`store/loss.rs`): SQLite takes what is there. It also tells
//! how much of the `-wal` a checkpoint had moved into the file, which is not to be undone by what is left of it, and when a `-wal` is of an
//! earlier round of the same opening. It is never synced, so a loss of power may leave anything in it, but its name was on disk before `open`
//! was written, too.

use std::{fs, path::PathBuf};

use super::LostCommits;
use crate::{
    seeded,
    storage::{
        folder,
        lock::{Lock, Marker, MarkerState, beside},
        meta,
        sqlite::{Checkpoint, Connection, Moved, Patience, SqliteError, SqliteErrorKind, Syncs},
        wal::{self, WalScan},
    },
};

/// The lock of a store's file, and what is to be said in it and in the file.
pub(crate) struct Seal {
    lock: Lock,
    path: PathBuf,
    /// The file's, as SQLite reads it through the `-wal`; `None` before that is known to fit.
    found: Option<u64>,
    /// That of this opening, once it writes.
    ours: Option<u64>,
    /// How many events the log has, as far as was heard.
    events: u64,
    /// The `-wal` that is written now has it.
    signed: bool,
    signing: bool,
    /// A sync of what the last opener left failed: the files stay as they are.
    sync_failed: bool,
    /// What was found to be lost.
    lost: Option<LostCommits>,
}

/// Why a file is not opened with the `-wal` that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It is needed and not there.
    Missing,
    /// It is not this file's.
    Foreign,
}

impl Misfit {
    /// What is wrong, and what to do.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Missing => {
                "it was not closed cleanly and its `-wal` is missing, so commits may be lost; put the `-wal` back, or remove \
                 the `.lock` beside the file to go on without"
            }
            Self::Foreign => {
                "it is not of this file as it stands: another store's, or of an earlier time; remove it, or put the file that it \
                 belongs to in place"
            }
        }
    }
}

/// Compares marker, epoch (as SQLite reads it through the `-wal`) and `-wal` (`None` when there was none before SQLite came).
pub(crate) fn compare(marker: Marker, epoch: u64, wal: Option<&WalScan>) -> Result<(), Misfit> {
    match (marker.state, wal) {
        (_, Some(wal)) if wal.is_of_earlier_round() => Err(Misfit::Foreign),
        (MarkerState::Fresh, _) => Ok(()),
        (MarkerState::Open, None) if seeded::bug("missing-wal-ignored") => Ok(()),
        (MarkerState::Open, None) if epoch <= marker.epoch || is_open(epoch) => Err(Misfit::Missing),
        (_, None) => Ok(()),
        (_, Some(wal)) if wal.taken() == 0 || epoch > marker.epoch || wal.is_in_file => Ok(()),
        (MarkerState::Open, Some(_)) if epoch == marker.epoch => Ok(()),
        (_, Some(_)) if seeded::bug("foreign-wal-adopted") => Ok(()),
        (_, Some(_)) => Err(Misfit::Foreign),
    }
}

pub(super) fn is_open(epoch: u64) -> bool {
    epoch % 2 == 1
}

impl Seal {
    pub(super) fn new(lock: Lock, path: PathBuf) -> Self {
        Self {
            lock,
            path,
            found: None,
            ours: None,
            events: 0,
            signed: false,
            signing: false,
            sync_failed: false,
            lost: None,
        }
    }

    pub(super) fn lock(&mut self) -> &mut Lock {
        &mut self.lock
    }

    /// The log has so many events.
    pub(super) fn note_events(&mut self, events: u64) {
        self.events = events;
    }

    pub(super) fn note_lost(&mut self, lost: LostCommits) {
        self.lost = Some(lost);
    }

    pub(super) fn lost(&self) -> Option<&LostCommits> {
        self.lost.as_ref()
    }

    pub(super) fn take_lost(&mut self) -> Option<LostCommits> {
        self.lost.take()
    }

    /// Whether the file is known to fit what was beside it, and has all of it; what is lost was noted.
    pub(super) fn is_heard(&self) -> bool {
        self.found.is_some() && !self.sync_failed
    }

    pub(super) fn marker(&self) -> Marker {
        self.lock.marker()
    }

    /// The latest epoch that any witness knows.
    pub(super) fn latest(&self) -> u64 {
        self.ours.unwrap_or_else(|| self.found.unwrap_or(0).max(self.lock.marker().epoch))
    }

    /// The file fits what is beside it and is of `epoch`. What the last opener left in the `-wal` is moved into the file, as it would
    /// have been at a clean close, so that this opening begins with none.
    ///
    /// # Errors
    /// When a sync failed, or the marker cannot be written.
    pub(super) fn fits(&mut self, epoch: u64, wal_bytes: u64, connection: &mut Connection) -> Result<(), SqliteError> {
        (self.found, self.ours, self.signed) = (Some(epoch), None, false);
        if wal_bytes > 0 || is_open(self.latest()) {
            match self.sign_closed(connection).and_then(|()| connection.checkpoint(Checkpoint::Truncate)) {
                Ok(_) => {
                    (self.found, self.ours) = (self.ours, None);
                    self.mark_closed();
                    return Ok(());
                }
                Err(error) if error.kind == SqliteErrorKind::SyncFailed => {
                    // Closing must not try again: a second sync that works says nothing about what the first one lost.
                    self.note_failed_sync();
                    return Err(error);
                }
                // Where there is no room the store can still be read. A marker of a new epoch would disown what is in the `-wal`; that
                // of before stays true when this one writes.
                Err(_) => self.ours = Some(self.latest() | 1),
            }
        }
        // The pid at least is a new one.
        self.lock.mark(self.lock.marker()).map_err(|error| SqliteError::from_io(&self.path, &error))
    }

    /// A file without tables fits: it was never made.
    pub(super) fn fits_nothing(&mut self) {
        self.found = Some(0);
    }

    /// The epoch that this opening will have when it writes.
    pub(super) fn next(&self) -> u64 {
        (self.latest() + 1) | 1
    }

    /// Says that the file is written to. To be called before the first write.
    ///
    /// # Errors
    /// When the folder cannot be synced or the marker not be written.
    pub(super) fn open(&mut self) -> Result<(), SqliteError> {
        if self.ours.is_none() {
            let epoch = self.next();
            self.mark_open(epoch)?;
            self.ours = Some(epoch);
        }
        Ok(())
    }

    fn mark_open(&mut self, epoch: u64) -> Result<(), SqliteError> {
        folder::sync_once(folder::of(&self.path))?;
        let marked = self.lock.mark(Marker { state: MarkerState::Open, epoch, ..self.lock.marker() });
        marked.map_err(|error| SqliteError::from_io(&self.path, &error))
    }

    /// The same after the transaction that made the file, with the [`next`](Self::next) epoch.
    pub(super) fn made(&mut self) -> Result<(), SqliteError> {
        let epoch = self.next();
        // The file has it, whether the marker can be written or not.
        (self.ours, self.signed) = (Some(epoch), true);
        self.mark_open(epoch)
    }

    /// Writes the epoch into the transaction that has begun, if it may be the first of its `-wal`; the log has so many events before it.
    pub(super) fn sign(&mut self, connection: &mut Connection, events: u64) -> Result<(), SqliteError> {
        self.events = events;
        let Some(epoch) = self.ours.filter(|_| !self.signed) else { return Ok(()) };
        meta::put_epoch(connection, epoch, self.events)?;
        self.signing = true;
        Ok(())
    }

    /// Writes into the transaction that has begun that the log has fewer events than before it.
    pub(super) fn note_fewer_events(&mut self, connection: &mut Connection, events: u64) -> Result<(), SqliteError> {
        self.events = events;
        meta::put_epoch(connection, self.latest(), events)
    }

    /// The transaction that had begun is committed, or came to nothing.
    pub(super) fn ended(&mut self, committed: bool) {
        self.signed |= std::mem::take(&mut self.signing) && committed;
    }

    /// The sync of a commit failed, and the commit is refused. SQLite had written all of it before it synced, so the next opener would
    /// take it for committed: something else is written in its place, which asks for no sync, and what is behind that is cut off.
    /// After a loss of power nobody can tell which of the two is on disk.
    ///
    /// # Errors
    /// When that cannot be written either.
    pub(super) fn overwrite_refused(&mut self, connection: &mut Connection) -> Result<(), SqliteError> {
        // Also the first transaction of a `-wal` asks for a sync, which would fail as that of the commit did.
        connection.with_syncs(Syncs::None, |connection| {
            connection.begin_writing()?;
            let written = meta::put_epoch(connection, self.latest(), self.events)
                .and_then(|()| connection.execute("COMMIT", &[]));
            if written.is_err() && connection.in_transaction() {
                connection.execute("ROLLBACK", &[])?;
            }
            written.map(drop)
        })?;
        let bytes = wal::length(connection.wal_pages(), connection.page_bytes()?);
        let cut = fs::File::options().write(true).open(beside(&self.path, "-wal")).and_then(|wal| wal.set_len(bytes));
        cut.map_err(|error| SqliteError::from_io(&self.path, &error))
    }

    /// A sync failed: what is in the `-wal` stays there until the next opener has looked at each checksum in it, and moves it.
    pub(super) fn note_failed_sync(&mut self) {
        self.sync_failed = true;
    }

    /// Moves into the file what is in the `-wal`, without waiting for anybody.
    pub(super) fn checkpoint(&mut self, connection: &mut Connection) -> Result<Moved, SqliteError> {
        self.wal_may_begin_anew();
        connection.checkpoint(Checkpoint::Passive)
    }

    /// There was a checkpoint: the next transaction may be the first of a `-wal`.
    pub(super) fn wal_may_begin_anew(&mut self) {
        self.signed = false;
    }

    /// The next opener rebuilds the tables.
    pub(super) fn mark_suspect(&mut self) {
        if seeded::bug("damage-forgotten") {
            return;
        }
        // At worst the damage is found again when it is touched again.
        let _ = self.lock.mark_suspect();
    }

    /// Closes the file: everything is moved into it, and the marker says so. A file that does not fit is left as it is.
    ///
    /// # Errors
    /// When that failed. What was committed is safe in the `-wal`.
    pub(super) fn close(&mut self, mut connection: Connection) -> Result<(), SqliteError> {
        if self.found.is_none() {
            return connection.close();
        }
        if self.sync_failed {
            connection.keep_wal_at_close(true)?;
            return connection.close();
        }
        // A reader that is just being opened looks at the file before it hears that the store is closed.
        let signed = Patience::A_MOMENT.retry(|| self.sign_closed(&mut connection));
        if signed.is_err() {
            // The next opener looks for the `-wal` of an odd epoch.
            connection.keep_wal_at_close(true)?;
        }
        let moved =
            signed.and_then(|()| Patience::A_MOMENT.retry(|| connection.checkpoint(Checkpoint::Truncate)).map(drop));
        if moved.is_ok() {
            // From here on nothing is in the `-wal`, and nothing will be: a crash before the end of closing is a clean close.
            self.mark_closed();
        }
        connection.close()?;
        if moved.is_err() && fs::symlink_metadata(beside(&self.path, "-wal")).is_err() {
            // SQLite could checkpoint at last.
            self.mark_closed();
        }
        moved
    }

    fn sign_closed(&mut self, connection: &mut Connection) -> Result<(), SqliteError> {
        let epoch = self.latest();
        if is_open(epoch) {
            meta::put_epoch(connection, epoch + 1, self.events)?;
        }
        self.ours = Some(epoch.next_multiple_of(2));
        Ok(())
    }

    /// A marker that cannot be written is that of an unclean end, which the next opener can deal with.
    fn mark_closed(&mut self) {
        let marker = self.lock.marker();
        if self.latest() == 0 {
            // The file was never made, and its next opener is to make it.
            return;
        }
        let _ = self.lock.mark(Marker { state: MarkerState::Closed, epoch: self.latest(), ..marker });
    }
}
