//! What went wrong in SQLite, by kind.

use std::{fmt, path::Path};

use rusqlite::ffi;

use crate::error::one_line;

/// An error of SQLite or of the files below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqliteError {
    /// What kind of error.
    pub(crate) kind: SqliteErrorKind,
    /// SQLite's words.
    pub(crate) message: String,
    /// SQLite's extended result code; 0 when the error is not SQLite's.
    pub(crate) code: i32,
}

/// What kind of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqliteErrorKind {
    /// No space is left; SQLite may have rolled back the transaction.
    DiskFull,
    /// A sync to disk failed: what was written may be lost.
    SyncFailed,
    /// Another I/O error; SQLite may have rolled back the transaction.
    Io,
    /// The file is damaged.
    Corrupt,
    /// The file is not a database.
    NotADatabase,
    /// Another connection is in the way.
    Busy,
    /// A constraint refused the statement.
    Constraint(Constraint),
    /// The statement was interrupted.
    Interrupted,
    /// The database cannot be written to.
    ReadOnly,
    /// The file cannot be opened.
    CannotOpen,
    /// The process has no file descriptors left.
    TooManyOpenFiles,
    /// A value or statement exceeds SQLite's limits.
    TooBig,
    /// There is no memory left: not the statement's fault.
    OutOfMemory,
    /// All else: wrong SQL, refused by the guard.
    Other,
}

/// Which constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Constraint {
    /// The primary key exists.
    PrimaryKey,
    /// A unique constraint.
    Unique,
    /// A reference.
    Reference,
    /// Not null, check, a value of the wrong type, or a function.
    Other,
}

impl SqliteError {
    pub(crate) fn new(kind: SqliteErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: 0 }
    }

    /// The table and columns of a row that exists already. SQLite tells them in its words alone: `UNIQUE constraint failed: a.b, a.c`,
    /// or the name of an index on something else than columns.
    pub(crate) fn existing(&self) -> Option<(&str, Vec<String>)> {
        let columns = self.message.strip_prefix("UNIQUE constraint failed: ")?;
        let (table, _) = columns.split_once('.')?;
        let column = |column: &str| Some(column.strip_prefix(table)?.strip_prefix('.')?.to_owned());
        Some((table, columns.split(", ").map(column).collect::<Option<_>>()?))
    }

    /// The same, of reading what larder has written by a statement of its own: a length that SQLite does not take is not what was written.
    pub(crate) fn of_stored(self) -> Self {
        match self.kind {
            SqliteErrorKind::TooBig => Self { kind: SqliteErrorKind::Corrupt, ..self },
            _ => self,
        }
    }

    pub(crate) fn from_io(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => SqliteErrorKind::DiskFull,
            ErrorKind::ReadOnlyFilesystem => SqliteErrorKind::ReadOnly,
            _ if is_out_of_files(error) => SqliteErrorKind::TooManyOpenFiles,
            _ => SqliteErrorKind::CannotOpen,
        };
        Self::new(kind, format!("{}: {error}", path.display()))
    }

    /// A sync of a file or folder failed.
    pub(crate) fn of_sync(path: &Path, error: &std::io::Error) -> Self {
        Self { kind: SqliteErrorKind::SyncFailed, ..Self::from_io(path, error) }
    }
}

impl fmt::Display for SqliteError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for SqliteError {}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(failure, message) => {
                let message = message.unwrap_or_else(|| ffi::code_to_str(failure.extended_code).to_owned());
                Self { kind: kind(failure.extended_code), message: readable(message), code: failure.extended_code }
            }
            rusqlite::Error::SqlInputError { error, msg, .. } => {
                Self { kind: kind(error.extended_code), message: readable(msg), code: error.extended_code }
            }
            rusqlite::Error::MultipleStatement => {
                Self::new(SqliteErrorKind::Other, "the text holds more than one statement, write one")
            }
            rusqlite::Error::ExecuteReturnedResults => {
                Self::new(SqliteErrorKind::Other, "the statement returns rows, run it as a query")
            }
            other => Self::new(SqliteErrorKind::Other, other.to_string()),
        }
    }
}

fn kind(code: i32) -> SqliteErrorKind {
    match code {
        ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC => return SqliteErrorKind::SyncFailed,
        ffi::SQLITE_IOERR_NOMEM => return SqliteErrorKind::OutOfMemory,
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            return SqliteErrorKind::Constraint(Constraint::PrimaryKey);
        }
        ffi::SQLITE_CONSTRAINT_UNIQUE => return SqliteErrorKind::Constraint(Constraint::Unique),
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => return SqliteErrorKind::Constraint(Constraint::Reference),
        _ => {}
    }
    match code & 0xff {
        ffi::SQLITE_FULL => SqliteErrorKind::DiskFull,
        ffi::SQLITE_IOERR if out_of_files() => SqliteErrorKind::TooManyOpenFiles,
        ffi::SQLITE_IOERR => SqliteErrorKind::Io,
        ffi::SQLITE_CORRUPT => SqliteErrorKind::Corrupt,
        ffi::SQLITE_NOTADB => SqliteErrorKind::NotADatabase,
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => SqliteErrorKind::Busy,
        // A mismatch is a rowid that is no integer.
        ffi::SQLITE_CONSTRAINT | ffi::SQLITE_MISMATCH => SqliteErrorKind::Constraint(Constraint::Other),
        ffi::SQLITE_INTERRUPT => SqliteErrorKind::Interrupted,
        ffi::SQLITE_READONLY => SqliteErrorKind::ReadOnly,
        ffi::SQLITE_CANTOPEN if out_of_files() => SqliteErrorKind::TooManyOpenFiles,
        ffi::SQLITE_CANTOPEN => SqliteErrorKind::CannotOpen,
        ffi::SQLITE_TOOBIG => SqliteErrorKind::TooBig,
        ffi::SQLITE_NOMEM => SqliteErrorKind::OutOfMemory,
        _ => SqliteErrorKind::Other,
    }
}

/// Whether the process can open no more files. SQLite does not pass on the system's error, so this tries one.
fn out_of_files() -> bool {
    fs_probe().is_err_and(|error| is_out_of_files(&error))
}

fn fs_probe() -> std::io::Result<()> {
    std::fs::File::open(std::env::temp_dir()).map(drop)
}

fn is_out_of_files(error: &std::io::Error) -> bool {
    // EMFILE and ENFILE have these numbers on Linux, macOS and the BSDs; Windows reports 4.
    let codes: &[i32] = if cfg!(windows) { &[4] } else { &[23, 24] };
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// SQLite quotes what stands in a damaged file, which may be anything.
fn readable(message: String) -> String {
    if message.contains(char::is_control) { one_line(&message).to_string() } else { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_about_an_existing_row_name_its_table_and_columns() {
        let told = |message: &str| {
            let error = SqliteError::new(SqliteErrorKind::Constraint(Constraint::Unique), message);
            error.existing().map(|(table, columns)| format!("{table}: {}", columns.join(" ")))
        };
        assert_eq!(told("UNIQUE constraint failed: a.b").as_deref(), Some("a: b"));
        assert_eq!(told("UNIQUE constraint failed: a.b, a.c d").as_deref(), Some("a: b c d"));
        assert_eq!(told("UNIQUE constraint failed: index 'lower_name'"), None);
        assert_eq!(told("UNIQUE constraint failed: a.b, c.d"), None);
    }

    #[test]
    fn what_sqlite_quotes_of_a_damaged_file_is_one_line() {
        let failure = ffi::Error::new(ffi::SQLITE_CORRUPT);
        let quoted = "malformed database schema (numbers) - unrecognized token: \"\" INTEGER\n) STRICT\"";
        let error = SqliteError::from(rusqlite::Error::SqliteFailure(failure, Some(quoted.to_owned())));
        assert_eq!(error.message, quoted.replace('\n', "\\n"));
    }

    #[test]
    fn a_length_that_is_not_what_was_written_is_damage_and_what_passes_is_not() {
        let read = |kind| SqliteError::new(kind, "").of_stored().kind;
        assert_eq!(read(SqliteErrorKind::TooBig), SqliteErrorKind::Corrupt);
        for passing in
            [SqliteErrorKind::Other, SqliteErrorKind::OutOfMemory, SqliteErrorKind::Interrupted, SqliteErrorKind::Busy]
        {
            assert_eq!(read(passing), passing);
        }
    }

    #[test]
    fn result_codes_become_kinds() {
        assert_eq!(kind(ffi::SQLITE_FULL), SqliteErrorKind::DiskFull);
        assert_eq!(kind(ffi::SQLITE_IOERR_FSYNC), SqliteErrorKind::SyncFailed);
        assert_eq!(kind(ffi::SQLITE_IOERR_WRITE), SqliteErrorKind::Io);
        assert_eq!(kind(ffi::SQLITE_CORRUPT_INDEX), SqliteErrorKind::Corrupt);
        assert_eq!(kind(ffi::SQLITE_NOTADB), SqliteErrorKind::NotADatabase);
        assert_eq!(kind(ffi::SQLITE_BUSY_SNAPSHOT), SqliteErrorKind::Busy);
        assert_eq!(kind(ffi::SQLITE_CONSTRAINT_ROWID), SqliteErrorKind::Constraint(Constraint::PrimaryKey));
        assert_eq!(kind(ffi::SQLITE_CONSTRAINT_UNIQUE), SqliteErrorKind::Constraint(Constraint::Unique));
        assert_eq!(kind(ffi::SQLITE_CONSTRAINT_FOREIGNKEY), SqliteErrorKind::Constraint(Constraint::Reference));
        assert_eq!(kind(ffi::SQLITE_CONSTRAINT_DATATYPE), SqliteErrorKind::Constraint(Constraint::Other));
        assert_eq!(kind(ffi::SQLITE_INTERRUPT), SqliteErrorKind::Interrupted);
        assert_eq!(kind(ffi::SQLITE_READONLY_DBMOVED), SqliteErrorKind::ReadOnly);
        assert_eq!(kind(ffi::SQLITE_CANTOPEN_ISDIR), SqliteErrorKind::CannotOpen);
        assert_eq!(kind(ffi::SQLITE_TOOBIG), SqliteErrorKind::TooBig);
        assert_eq!(kind(ffi::SQLITE_NOMEM), SqliteErrorKind::OutOfMemory);
        assert_eq!(kind(ffi::SQLITE_IOERR_NOMEM), SqliteErrorKind::OutOfMemory);
        assert_eq!(kind(ffi::SQLITE_ERROR), SqliteErrorKind::Other);
    }
}
