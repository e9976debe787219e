//! One SQLite connection, set up the way larder needs it. Nothing outside this file and its folder names `rusqlite`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{OpenFlags, config::DbConfig};

use crate::{
    options::Durability,
    query::RowRef,
    seeded,
    value::{Value, ValueRef},
};

mod backup;
mod busy;
mod capture;
mod dates;
mod error;
mod guard;
mod read;
mod row;
mod wal;

pub(crate) use busy::Patience;
pub(crate) use error::{Constraint, SqliteError, SqliteErrorKind};
pub(crate) use guard::Guard;
pub(crate) use wal::{Checkpoint, Moved, Syncs};

/// Prepared statements kept by a connection that works.
const CACHED_STATEMENTS: usize = 32;

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A file, in WAL mode.
    File(PathBuf),
    /// Memory of this one connection.
    Memory,
}

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reads and writes.
    Writer {
        /// Whether a missing file is made.
        create: bool,
        /// What a commit survives.
        durability: Durability,
    },
    /// Reads a file that a writer has open.
    Reader,
    /// Reads a file that nobody writes, without its `-wal`.
    ReaderOfFileAlone,
}

/// One connection. Its calls take `&mut self`, so that there is never a second one at the same time.
pub(crate) struct Connection {
    sqlite: rusqlite::Connection,
    guard: guard::GuardState,
    capture: Option<capture::Capture>,
    /// Keeps no statement prepared.
    passing: bool,
    wal_pages: Option<std::sync::Arc<std::sync::atomic::AtomicU32>>,
}

/// Interrupts what its connection is doing, from any thread.
pub(crate) struct Interrupter(rusqlite::InterruptHandle);

impl Interrupter {
    /// Ends the running statement with [`SqliteErrorKind::Interrupted`]; nothing happens when none runs.
    pub(crate) fn interrupt(&self) {
        self.0.interrupt();
    }
}

impl Connection {
    /// Opens a database.
    pub(crate) fn open(place: &Place, access: Access) -> Result<Self, SqliteError> {
        let mut sqlite = open_raw(place, access)?;
        // An opening that fails leaves the `-wal` as it is: it may be needed, or another's.
        sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        set_up(&sqlite, place, access)?;
        let guard = guard::GuardState::install(&mut sqlite)?;
        sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        Ok(Self { sqlite, guard, capture: None, passing: false, wal_pages: None })
    }

    /// Runs `work`, and keeps none of its statements prepared: for what is done once.
    pub(crate) fn once<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        self.passing = true;
        let result = work(self);
        self.passing = false;
        result
    }

    /// Runs one statement, which is kept prepared; the number of rows that it changed itself.
    pub(crate) fn execute(&mut self, sql: &str, params: &[ValueRef<'_>]) -> Result<u64, SqliteError> {
        self.write(sql, params.iter().copied())
    }

    fn write<'v>(
        &mut self,
        sql: &str,
        params: impl ExactSizeIterator<Item = ValueRef<'v>>,
    ) -> Result<u64, SqliteError> {
        let mark = self.changes_mark();
        let result = read::with_prepared(self, sql, |statement| {
            read::bind(statement, params)?;
            Ok(statement.raw_execute()? as u64)
        });
        if result.is_err() {
            // SQLite undid the statement, so what it had changed until then did not happen.
            self.changes_truncate(mark);
        }
        result
    }

    /// Runs several statements without parameters, which are not kept.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), SqliteError> {
        Ok(self.sqlite.execute_batch(sql)?)
    }

    /// Whether a transaction is open; false as soon as SQLite has rolled back by itself.
    pub(crate) fn in_transaction(&self) -> bool {
        !self.sqlite.is_autocommit()
    }

    /// Begins a transaction that writes. No other connection of a store writes, but a reader that comes upon a half-written header of the
    /// index takes the lock of writers for a moment, to read it again (`walIndexReadHdr` of SQLite's `wal.c`); so what is busy is tried
    /// again.
    ///
    /// # Errors
    /// Also `Busy`, when somebody who is not larder holds the lock for longer.
    pub(crate) fn begin_writing(&mut self) -> Result<(), SqliteError> {
        Patience::A_MOMENT.retry(|| self.execute("BEGIN IMMEDIATE", &[]).map(drop))
    }

    /// Does `work` in a transaction that writes: all of it or nothing. Another process may hold the lock of writers.
    pub(crate) fn transaction<R>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<R, SqliteError>,
    ) -> Result<R, SqliteError> {
        self.execute("BEGIN IMMEDIATE", &[])?;
        match work(self) {
            Ok(value) => self.execute("COMMIT", &[]).map(|_| value),
            Err(error) => {
                // The first error is the one to tell.
                let _ = self.execute("ROLLBACK", &[]);
                Err(error)
            }
        }
    }

    /// Whether a transaction that writes can begin. SQLite opens a `-wal` that it cannot open for writing, for whatever reason, for
    /// reading, and a connection keeps what it opened.
    pub(crate) fn check_writes(&mut self) -> Result<(), SqliteError> {
        let begun = self.begin_writing().and_then(|()| self.batch("ROLLBACK"));
        begun.map_err(|error| match error.kind {
            SqliteErrorKind::ReadOnly => read_only(),
            _ => error,
        })
    }

    /// Turns the checks of references on or off, also inside a transaction.
    pub(crate) fn set_foreign_keys(&mut self, on: bool) -> Result<(), SqliteError> {
        self.sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, on)?;
        Ok(())
    }

    /// A handle that interrupts this connection.
    pub(crate) fn interrupter(&self) -> Interrupter {
        Interrupter(self.sqlite.get_interrupt_handle())
    }

    /// Gives back what an idle connection does not need: prepared statements, cached pages, and what it has read of the tables' SQL.
    pub(crate) fn release_memory(&mut self) {
        self.sqlite.flush_prepared_statement_cache();
        // A connection that cannot release is only larger than it could be.
        let _ = self.sqlite.execute_batch("PRAGMA writable_schema = RESET");
        let _ = self.sqlite.release_memory();
        self.guard.release_memory();
    }

    /// Calls `each` for every row until it answers `false`.
    pub(crate) fn each_row<E: From<SqliteError>>(
        &mut self,
        sql: &str,
        params: &[ValueRef<'_>],
        mut each: impl FnMut(&RowRef<'_>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mark = self.changes_mark();
        let result = read::rows(self, sql, params, &mut each);
        if result.is_err() {
            self.changes_truncate(mark);
        }
        result
    }

    /// The first row, if there is one.
    pub(crate) fn row<T, E: From<SqliteError>>(
        &mut self,
        sql: &str,
        params: &[ValueRef<'_>],
        decode: impl FnOnce(&RowRef<'_>) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        let (mut decode, mut found) = (Some(decode), None);
        self.each_row(sql, params, |row| {
            if let Some(decode) = decode.take() {
                found = Some(decode(row)?);
            }
            Ok::<_, E>(false)
        })?;
        Ok(found)
    }

    /// The first column of the first row, if there is one.
    pub(crate) fn value(&mut self, sql: &str, params: &[ValueRef<'_>]) -> Result<Option<Value>, SqliteError> {
        self.row(sql, params, |row| Ok(row.value(0).to_owned()))
    }

    /// The first column of the first row, if it is an integer.
    pub(crate) fn integer(&mut self, sql: &str, params: &[ValueRef<'_>]) -> Result<Option<i64>, SqliteError> {
        Ok(match self.value(sql, params)? {
            Some(Value::Integer(number)) => Some(number),
            _ => None,
        })
    }

    /// Closes the database; a last writer checkpoints and removes its `-wal`.
    pub(crate) fn close(self) -> Result<(), SqliteError> {
        self.sqlite.close().map_err(|(_, error)| error.into())
    }
}

fn open_raw(place: &Place, access: Access) -> Result<rusqlite::Connection, SqliteError> {
    let alone = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match (place, access) {
        (Place::Memory, Access::Writer { .. }) => {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | alone;
            Ok(rusqlite::Connection::open_in_memory_with_flags(flags)?)
        }
        (Place::Memory, Access::Reader | Access::ReaderOfFileAlone) => Err(SqliteError::new(
            SqliteErrorKind::CannotOpen,
            "a database in memory has one connection, it cannot be read by another",
        )),
        (Place::File(path), access) => {
            let flags = match access {
                Access::Reader => OpenFlags::SQLITE_OPEN_READ_ONLY,
                Access::ReaderOfFileAlone => OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
                Access::Writer { create, .. } => {
                    if create {
                        make_private(path)?;
                    }
                    OpenFlags::SQLITE_OPEN_READ_WRITE
                }
            };
            let (flags, path) = (flags | alone | OpenFlags::SQLITE_OPEN_NOFOLLOW, real_path(path));
            let path = if access == Access::ReaderOfFileAlone { immutable(&path) } else { path };
            rusqlite::Connection::open_with_flags(path, flags).map_err(Into::into)
        }
    }
}

/// The name by which SQLite reads nothing but the file itself.
fn immutable(path: &Path) -> PathBuf {
    let encode = |byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => char::from(*byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let path: String = path.as_os_str().as_encoded_bytes().iter().map(encode).collect();
    format!("file:{path}?immutable=1").into()
}

/// The path without symlinks in its folders, so that `NOFOLLOW` refuses one thing only: a file that is itself a symlink.
fn real_path(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(file)) => folder.join(file),
        _ => path.to_owned(),
    }
}

/// Makes a missing file that only its owner may read. An existing file is not touched: closing a second descriptor of it
/// would drop SQLite's locks.
fn make_private(path: &Path) -> Result<(), SqliteError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(SqliteError::from_io(path, &error)),
    }
}

/// The file or its `-wal` was opened for reading.
fn read_only() -> SqliteError {
    let message = "the file can only be read; make it writable, or try again once there are file descriptors";
    SqliteError::new(SqliteErrorKind::ReadOnly, message)
}

fn set_up(sqlite: &rusqlite::Connection, place: &Place, access: Access) -> Result<(), SqliteError> {
    // Waiting is the caller's affair; SQLite would sleep.
    sqlite.busy_timeout(Duration::ZERO)?;
    sqlite.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    for (option, on) in [
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        // A misspelt column in double quotes must not become a string.
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
    ] {
        sqlite.set_db_config(option, on)?;
    }
    // The sizes of pages that a connection keeps: 64 KiB. `recursive_triggers` lets the capture see what REPLACE deletes.
    sqlite.execute_batch("PRAGMA cache_size = -64; PRAGMA temp_store = MEMORY; PRAGMA recursive_triggers = ON")?;
    let Access::Writer { durability, .. } = access else { return Ok(()) };
    if matches!(place, Place::File(_)) {
        // SQLite opens what it cannot open for writing, for whatever reason, for reading.
        if sqlite.is_readonly(rusqlite::MAIN_DB)? {
            return Err(read_only());
        }
        let mode: String = sqlite.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(SqliteError::new(
                SqliteErrorKind::CannotOpen,
                format!("no WAL mode here, SQLite uses `{mode}`"),
            ));
        }
    }
    sqlite.execute_batch(match durability {
        _ if seeded::bug("synchronous-off") => "PRAGMA synchronous = OFF",
        Durability::Process => "PRAGMA synchronous = NORMAL",
        Durability::Power => "PRAGMA synchronous = FULL",
    })?;
    Ok(())
}

#[cfg(test)]
mod tests;
