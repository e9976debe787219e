//! The file: its tables, and how a connection is set up.

use std::{
    fs::{File, OpenOptions},
    path::Path,
};

use rusqlite::{
    Connection, ErrorCode, OpenFlags, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use super::place::has_bytes;
use crate::storage::StorageError;

/// `lard` as a number: the file is a larder server's.
const APPLICATION: i32 = 0x6c61_7264;

/// The version of the tables. A file of a later one is not touched.
const FORMAT: i64 = 1;

const TABLES: &str = "
    CREATE TABLE server (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE stores (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        head INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE events (
        store INTEGER NOT NULL,
        number INTEGER NOT NULL,
        name TEXT NOT NULL,
        args TEXT,
        client TEXT NOT NULL,
        session TEXT NOT NULL,
        id BLOB,
        created INTEGER NOT NULL,
        PRIMARY KEY (store, number)
    ) STRICT, WITHOUT ROWID;";

/// A number of an event, or of events, as SQLite has it. There are none that it has not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Number(pub(super) u64);

impl ToSql for Number {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.0).unwrap_or(i64::MAX).into())
    }
}

impl FromSql for Number {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        number.try_into().map(Self).map_err(|_| FromSqlError::OutOfRange(number))
    }
}

/// Opens the log for writing, and makes its tables where there are none.
pub(super) fn open_log(path: &Path) -> Result<Connection, StorageError> {
    refuse_symlink(path)?;
    match create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(inaccessible(path, &error)),
        _ => {}
    }
    let connection = Connection::open(path).map_err(|error| opening(path, &error))?;
    only_for_the_owner(path)?;
    let set_up = || -> rusqlite::Result<()> {
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768; PRAGMA foreign_keys = ON;
             PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF;",
        )
    };
    set_up().map_err(|error| opening(path, &error))?;
    if !is_durable(&connection).map_err(|error| opening(path, &error))? {
        return Err(StorageError::Open(format!(
            "{} cannot be written ahead and synced there; put it on a local disk",
            path.display()
        )));
    }
    connection.set_prepared_statement_cache_capacity(16);
    make_tables(&connection, path)?;
    Ok(connection)
}

/// Whether what is committed on a connection is on disk. SQLite says nothing where it cannot do as it was told.
fn is_durable(connection: &Connection) -> rusqlite::Result<bool> {
    let journal: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    // 2 is FULL, 3 is EXTRA.
    Ok(journal == "wal" && synchronous >= 2)
}

fn make_tables(connection: &Connection, path: &Path) -> Result<(), StorageError> {
    let failed = |error: rusqlite::Error| opening(path, &error);
    let application: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(failed)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if tables == 0 {
        let made = connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {TABLES}
             INSERT INTO server (name, value) VALUES ('identity', '{}'), ('generation', '0');
             PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;",
            new_identity()
        ));
        return made.map_err(failed);
    }
    if application != APPLICATION {
        return Err(StorageError::Open(format!(
            "{} is not a log of larder-server; give it a directory of its own",
            path.display()
        )));
    }
    let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    if format != FORMAT {
        return Err(StorageError::Open(format!(
            "{} has format {format}, this server knows {FORMAT}; use the version that wrote it",
            path.display()
        )));
    }
    Ok(())
}

/// Whether a file has tables: [`open_log`] makes them in one that is there and has none.
pub(super) fn is_made(path: &Path) -> Result<bool, StorageError> {
    if !has_bytes(path) {
        return Ok(false);
    }
    let count = |connection: Connection| {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map(|Number(count)| count > 0)
    };
    open_reader(path).and_then(count).map_err(|error| opening(path, &error))
}

/// Opens the log for reading alone.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096; PRAGMA trusted_schema = OFF;")?;
    Ok(connection)
}

/// A name that no other log has.
pub(super) fn new_identity() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

pub(super) fn opening(path: &Path, error: &rusqlite::Error) -> StorageError {
    StorageError::Open(format!("{} cannot be opened: {error}", path.display()))
}

/// What an error of SQLite means for those who wait.
pub(super) fn failed(error: &rusqlite::Error) -> StorageError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StorageError::Damaged(error.to_string()),
        _ => StorageError::Failed(error.to_string()),
    }
}

/// Whether it is open what the disk has after an error.
pub(super) fn poisons(error: &rusqlite::Error) -> bool {
    let codes = [ErrorCode::SystemIoFailure, ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase];
    error.sqlite_error_code().is_some_and(|code| codes.contains(&code))
}

/// Makes an empty file that nobody else may read, from its first moment on.
pub(super) fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

pub(super) fn inaccessible(path: &Path, error: &std::io::Error) -> StorageError {
    StorageError::Open(format!("{}: {error}", path.display()))
}

fn refuse_symlink(path: &Path) -> Result<(), StorageError> {
    if path.is_symlink() {
        return Err(StorageError::Open(format!("{} is a symlink; put the log itself there", path.display())));
    }
    Ok(())
}

#[cfg(unix)]
pub(super) fn only_for_the_owner(path: &Path) -> Result<(), StorageError> {
    use std::{fs, os::unix::fs::PermissionsExt};
    let set = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
    set.map_err(|error| inaccessible(path, &error))
}

#[cfg(not(unix))]
pub(super) fn only_for_the_owner(_path: &Path) -> Result<(), StorageError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_that_appends_syncs_each_commit_and_another_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = open_log(&folder.path().join("log.sqlite")).expect("a log");
        assert!(is_durable(&log).expect("pragmas"));
        log.execute_batch("PRAGMA synchronous = NORMAL").expect("a pragma");
        assert!(!is_durable(&log).expect("pragmas"));
        let memory = Connection::open_in_memory().expect("memory");
        memory.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").expect("pragmas");
        assert!(!is_durable(&memory).expect("pragmas"), "SQLite did not do it, and said nothing");
    }
}
