//! SQLite's errors as those of a materializer.

use crate::{
    error::MaterializeError,
    storage::sqlite::{Constraint, SqliteError, SqliteErrorKind},
};

impl SqliteError {
    /// The error of a statement on `table`, or of SQL that the app wrote.
    pub(crate) fn into_materialize_error(self, table: Option<&'static str>) -> MaterializeError {
        let message = self.message;
        match (self.kind, table) {
            (SqliteErrorKind::Constraint(Constraint::PrimaryKey | Constraint::Unique), Some(table)) => {
                MaterializeError::Exists { table, message }
            }
            (SqliteErrorKind::Constraint(Constraint::Reference), Some(table)) => {
                MaterializeError::Reference { table: table.to_owned(), message }
            }
            (SqliteErrorKind::Constraint(_) | SqliteErrorKind::TooBig | SqliteErrorKind::Other, _) => {
                MaterializeError::Sql { message }
            }
            (kind, _) => MaterializeError::Storage { message, disk_full: kind == SqliteErrorKind::DiskFull },
        }
    }

    /// Whether the statement alone failed; after any other error the transaction may be gone.
    pub(crate) fn is_of_the_statement(&self) -> bool {
        matches!(self.kind, SqliteErrorKind::Constraint(_) | SqliteErrorKind::TooBig | SqliteErrorKind::Other)
    }
}
