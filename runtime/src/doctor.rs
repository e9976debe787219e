//! Looking at a store's file without loading the store: what is wrong with it, and what of its eventlog can still be read.
//!
//! ```no_run
//! let file = std::path::Path::new("data/stores/workspace/ws-1-0a1b2c3d.db");
//! let report = larder::doctor::check(file)?;
//! if !report.is_sound() {
//!     let mut out = std::fs::File::create_new("ws-1.jsonl")?;
//!     let exported = larder::doctor::export(file, &mut out)?;
//!     println!("{} events, {} of them damaged", exported.events, exported.damaged);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Both take the store's lock, so the store must not be open. They change nothing in the file.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{
    error::shown,
    event::EventNumber,
    options::Durability,
    storage::{
        eventlog::{self, ChainKey, LogCursor, LogError, LogHead},
        kept::Before,
        lock::{Lock, LockError, MarkerState},
        meta::{self, Header, Meta},
        quarantine,
        sqlite::{Access, Connection, Place, SqliteError},
        wal::WalScan,
    },
    store::{LostCommits, Misfit, compare, lost, scan_wal},
    value::ValueRef,
};

mod line;
mod salvage;

/// Most problems that SQLite's own check reports.
const SHOWN_PROBLEMS: usize = 20;

/// What [`check`] found in a store's file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// The definition's name, if the file says one.
    pub definition: Option<String>,
    /// The store's id, if the file says one.
    pub store_id: Option<String>,
    /// Whether the last opener closed the store. If not, its `-wal` belongs to the file and is needed.
    pub closed_cleanly: bool,
    /// Events from the first one on whose checksums fit.
    pub sound_events: u64,
    /// What is wrong, one line each; empty when nothing is.
    pub problems: Vec<String>,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// What [`export`] wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportReport {
    /// Events written.
    pub events: u64,
    /// How many of them do not fit their checksum, or follow a row that cannot be read.
    pub damaged: u64,
    /// Stretches of the log that SQLite cannot read: the number before and the number after, where these are known.
    pub unreadable: Vec<(EventNumber, Option<EventNumber>)>,
    /// Quarantined events, written behind those of the log with their reasons.
    pub quarantined: u64,
}

/// Why a file cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoctorError {
    /// The store is open.
    #[error("{file} is open in {holder}; close it there")]
    Locked {
        /// The store's file.
        file: PathBuf,
        /// `process 123`, or `this process`.
        holder: String,
    },
    /// There is no such file, or it is not one of larder's.
    #[error("{file} is not the file of a store: {reason}; name a `.db` file in the folder `stores` of a data dir")]
    NotAStore {
        /// The file.
        file: PathBuf,
        /// What was found.
        reason: String,
    },
    /// So much is damaged that SQLite reads nothing.
    #[error("{file} cannot be read at all: {reason}; restore it from a backup")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// SQLite's words.
        reason: String,
    },
    /// Reading the file's folder, or writing the export, failed.
    #[error("{file}, or what is written of it, failed: {source}; try again once the cause is gone")]
    Io {
        /// The store's file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Checks the whole file: SQLite's own check, what the file says of itself, and every row of the eventlog. Whether the tables are
/// what the log makes only the store's app can tell ([`Store::verify`](crate::Store::verify)).
///
/// # Errors
/// When the file cannot be looked at; damage is in the report.
pub fn check(file: impl AsRef<Path>) -> Result<CheckReport, DoctorError> {
    let mut patient = Patient::admit(file.as_ref())?;
    let mut report = CheckReport::default();
    report.problems.extend(patient.sqlite_problems());
    match patient.meta() {
        Ok(meta) => {
            report.closed_cleanly = patient.closed_cleanly(meta.epoch);
            report.problems.extend(patient.misfit(meta.epoch));
            report.problems.extend(patient.lost(meta.epoch));
            report.sound_events = patient.sound_events(&meta, &mut report.problems);
            (report.definition, report.store_id) = (Some(meta.definition), Some(meta.store_id));
        }
        Err(problem) => report.problems.push(problem),
    }
    Ok(report)
}

/// Writes every event that can be read, oldest first, one JSON object a line: `number`, `name`, `args`, `client_id`, `session_id`, `id`,
/// and `sound` (whether the checksum fits; `null` where that cannot be told). Behind them stand the quarantined events, with the reason as
/// `quarantined`.
///
/// # Errors
/// When the file cannot be looked at, or `out` cannot be written.
pub fn export(file: impl AsRef<Path>, mut out: impl Write) -> Result<ExportReport, DoctorError> {
    let mut patient = Patient::admit(file.as_ref())?;
    let key = patient.meta().ok().and_then(|meta| meta.key());
    let failed = |source| DoctorError::Io { file: file.as_ref().to_owned(), source };
    let mut report = ExportReport::default();
    let salvaged = salvage::salvage(&mut patient.connection, &mut |row| {
        report.events += 1;
        let sound = key.as_ref().map(|key| row.is_sound(key));
        report.damaged += u64::from(sound != Some(true));
        line::write(&mut out, &row, sound)
    });
    report.unreadable = salvaged.map_err(failed)?;
    // What SQLite cannot read of them is lost with what else is damaged, and is no reason to write nothing.
    for (event, reason) in quarantine::all(&mut patient.connection).unwrap_or_default() {
        report.quarantined += 1;
        line::write_quarantined(&mut out, &event, &reason).map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    Ok(report)
}

/// A store's file, locked and open for reading.
struct Patient {
    connection: Connection,
    /// As it was before SQLite came.
    wal: Option<WalScan>,
    // Dropped after the connection, and before the lock.
    _before: Before,
    lock: Lock,
}

impl Patient {
    fn admit(file: &Path) -> Result<Self, DoctorError> {
        let not_a_store = |reason: &str| DoctorError::NotAStore { file: file.to_owned(), reason: reason.to_owned() };
        let io = |source| DoctorError::Io { file: file.to_owned(), source };
        match fs::symlink_metadata(file) {
            Ok(found) if !found.is_file() => return Err(not_a_store("it is a symlink or no file")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(not_a_store("there is no file")),
            Err(error) => return Err(io(error)),
        }
        let lock = Lock::acquire(file).map_err(|error| match error {
            LockError::Held(holder) => DoctorError::Locked { file: file.to_owned(), holder },
            LockError::Symlink => not_a_store("its lock file is a symlink"),
            LockError::Io(error) => io(error),
        })?;
        match meta::read_header(file).map_err(io)? {
            Header::Sqlite { application_id, .. } if application_id == meta::APPLICATION_ID || application_id == 0 => {}
            Header::Sqlite { .. } => return Err(not_a_store("it belongs to another program")),
            Header::Missing | Header::Empty => return Err(not_a_store("it is empty")),
            Header::Other | Header::Blank => {
                let reason = "its first page is not that of an SQLite database".to_owned();
                return Err(DoctorError::Unreadable { file: file.to_owned(), reason });
            }
        }
        let wal = scan_wal(file).map_err(io)?;
        let before = Before::of(file);
        let unreadable =
            |error: SqliteError| DoctorError::Unreadable { file: file.to_owned(), reason: error.to_string() };
        let alone = wal.as_ref().is_some_and(WalScan::is_behind_file);
        let access = if alone { Access::ReaderOfFileAlone } else { Access::Reader };
        let connection = Connection::open(&Place::File(file.to_owned()), access).map_err(unreadable)?;
        Ok(Self { connection, wal, _before: before, lock })
    }

    fn closed_cleanly(&self, epoch: u64) -> bool {
        let marker = self.lock.marker();
        marker.state != MarkerState::Open || (epoch > marker.epoch && epoch.is_multiple_of(2))
    }

    /// Whether file, `-wal` and lock file belong together.
    fn misfit(&self, epoch: u64) -> Option<String> {
        match compare(self.lock.marker(), epoch, self.wal.as_ref()) {
            Ok(()) => None,
            Err(misfit @ Misfit::Missing) => Some(misfit.reason().to_owned()),
            Err(misfit @ Misfit::Foreign) => Some(format!("its `-wal`: {}", misfit.reason())),
        }
    }

    fn lost(&self, epoch: u64) -> Option<String> {
        // What the app's commits survive is not in the file.
        let loss = lost(self.lock.marker(), epoch, self.wal.as_ref(), Durability::Process)?;
        Some(LostCommits { loss, kept: None }.to_string())
    }

    fn sqlite_problems(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        let checked = self.connection.each_row(&format!("PRAGMA integrity_check({SHOWN_PROBLEMS})"), &[], |row| {
            match row.value(0) {
                ValueRef::Text("ok") => {}
                ValueRef::Text(problem) => problems.push(problem.to_owned()),
                _ => problems.push("SQLite's check says nothing that can be read".to_owned()),
            }
            Ok::<_, SqliteError>(true)
        });
        problems.extend(checked.err().map(|error| format!("SQLite's check failed: {error}")));
        problems
    }

    fn meta(&mut self) -> Result<Meta, String> {
        match Meta::load(&mut self.connection) {
            Ok(Some(meta)) => Ok(meta),
            Ok(None) => Err("it does not say whose it is".to_owned()),
            Err(error) => Err(format!("what it says of itself cannot be read: {error}")),
        }
    }

    /// Reads the log from its first row on, up to the first that does not check.
    fn sound_events(&mut self, meta: &Meta, problems: &mut Vec<String>) -> u64 {
        let Some(key) = meta.key() else {
            problems.push(format!("`{}` is no store id", shown(&meta.store_id)));
            return 0;
        };
        let mut cursor = LogCursor::at(key, LogHead::EMPTY);
        let mut read = eventlog::check_first_place(&mut self.connection).map(|()| 1);
        while matches!(read, Ok(1..)) {
            read = cursor.read(&mut self.connection, 256);
        }
        let read = read.and_then(|_| cursor.head().check_events(meta.events));
        problems.extend(read.err().map(|error| match error {
            LogError::Sqlite(error) => format!("the eventlog cannot be read: {error}"),
            damaged => format!("the eventlog is damaged: {damaged}"),
        }));
        cursor.head().ordinal
    }
}

impl Meta {
    /// The key of the file's eventlog.
    fn key(&self) -> Option<ChainKey> {
        Some(ChainKey::new(&self.file_id, &self.definition, &self.store_id.parse().ok()?))
    }
}
