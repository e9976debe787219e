//! What loading a store did, and how far it is.

use std::{fmt, path::PathBuf};

use crate::schema::Fingerprint;

/// What the tables of a store went through while it was loaded; in [`LoadContext`](crate::LoadContext) and at
/// [`Store::migrations_report`](crate::Store::migrations_report).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationsReport {
    /// What was done.
    pub migration: Migration,
    /// The fingerprint of the schema that the tables have now.
    pub fingerprint: Fingerprint,
    /// How many events were applied; 0 unless the tables were rebuilt.
    pub applied: u64,
    /// How many events of the log did not materialize. Confirmed ones are listed by [`Store::failed_events`](crate::Store::failed_events);
    /// with a backend pending ones are quarantined and listed by [`Store::quarantined_events`](crate::Store::quarantined_events).
    pub failed: u64,
    /// How many events of the log this app does not know; they stay in it.
    pub unknown: u64,
    /// Commits that were there once and are not any more, or may not be: a loss of power took them, or the files were damaged since.
    /// With [`Durability::Power`](crate::Durability::Power) only damage does that.
    pub lost: Option<LostCommits>,
}

/// Commits that a load found to be lost, or may be; all before them are there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostCommits {
    /// What is known of them.
    pub loss: Loss,
    /// A copy of the `-wal` as it was found, when there is anything in it that was not taken. Loading a store again may replace it.
    pub kept: Option<PathBuf>,
}

/// What is known of commits that are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// So many are lost, perhaps more.
    AtLeast(u64),
    /// Some are lost, and cannot be counted.
    Uncounted,
    /// Whether any are lost cannot be told: the store was not closed, and the `-shm` does not say how much its `-wal` had.
    Possible(NoIndex),
}

/// Why a `-shm` says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoIndex {
    /// It is not there. Neither a crash nor a loss of power does that: it was removed, or the files were copied without it.
    Missing,
    /// It is not sound: torn by a loss of power, or damaged.
    Unreadable,
}

impl fmt::Display for Loss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let torn = "the `-wal` was torn by a loss of power, or damaged since";
        match self {
            Self::AtLeast(1) => write!(formatter, "1 commit is lost, perhaps more: {torn}"),
            Self::AtLeast(known) => write!(formatter, "{known} commits are lost, perhaps more: {torn}"),
            Self::Uncounted => write!(formatter, "the last commits are lost: {torn}"),
            Self::Possible(NoIndex::Missing) => formatter.write_str(
                "the last commits may be lost: the `-shm` that would tell is missing; copy it along with the other files of a store \
                 that is not closed",
            ),
            Self::Possible(NoIndex::Unreadable) => formatter.write_str(
                "the last commits may be lost: the `-shm` that would tell is damaged, as a loss of power leaves it, which takes none \
                 that were made with `Durability::Power`",
            ),
        }
    }
}

impl fmt::Display for LostCommits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.loss.fmt(formatter)?;
        match &self.kept {
            Some(kept) => write!(formatter, "; it is kept as {}", kept.display()),
            None => Ok(()),
        }
    }
}

/// What a load did to the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Migration {
    /// The store is new.
    Created,
    /// The tables were those of this schema.
    Unchanged,
    /// The tables were rebuilt from the eventlog.
    Rebuilt(RebuildReason),
}

/// Why tables were rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RebuildReason {
    /// Tables, events, materializer or `version` changed.
    SchemaChanged {
        /// The fingerprint that the tables had.
        from: Fingerprint,
    },
    /// The tables were damaged, or tables, indexes or triggers were not those that larder had made.
    Damaged,
}

impl MigrationsReport {
    pub(crate) fn new(migration: Migration, fingerprint: Fingerprint) -> Self {
        Self { migration, fingerprint, applied: 0, failed: 0, unknown: 0, lost: None }
    }

    /// Whether the tables were rebuilt from the eventlog.
    pub fn rebuilt(&self) -> bool {
        matches!(self.migration, Migration::Rebuilt(_))
    }
}

/// How far a load is. Sent between the batches of a rebuild, at the start and at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadProgress {
    /// Events applied so far.
    pub done: u64,
    /// Events in the log.
    pub total: u64,
}

impl fmt::Display for LoadProgress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {} events", self.done, self.total)
    }
}
