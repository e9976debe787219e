//! SQLite's errors as those of a materializer.

use crate::{
    error::MaterializeError,
    storage::sqlite::{Constraint, SqliteError, SqliteErrorKind},
};

impl SqliteError {
    /// The error of a statement on `table`, or of SQL that the app wrote.
    pub(crate) fn into_materialize_error(self, table: Option<&'static str>) -> MaterializeError {
        if let SqliteErrorKind::Constraint(Constraint::PrimaryKey | Constraint::Unique) = self.kind {
            let told = self.existing().map(|(table, columns)| (table.to_owned(), columns));
            // A cascade may have failed in another table than that of the statement.
            let existing = told.or_else(|| table.map(|table| (table.to_owned(), Vec::new())));
            if let Some((table, columns)) = existing {
                return MaterializeError::Exists { table, columns, message: self.message };
            }
        }
        let message = self.message;
        match (self.kind, table) {
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
