//! Backups: a copy of the whole store in one file.

use std::path::Path;

use super::{Engine, read::Span};
use crate::error::QueryError;

impl Engine {
    /// Copies the store, as it stands at one moment, into a new file.
    pub(crate) fn backup(&self, path: &Path) -> Result<(), QueryError> {
        self.read(Span::Statement, &mut |connection| {
            connection.backup_to(path).map_err(|error| {
                // Most failures are the new file's; those of the store's own show as damage.
                self.refused("backup", error)
            })
        })
    }
}
