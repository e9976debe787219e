//! Backups: a copy of the whole store in one file.

use std::path::Path;

use super::{Engine, read::Span};
use crate::{
    error::{QueryError, QueryErrorKind},
    telemetry,
};

impl Engine {
    /// Copies the store, as it stands at one moment, into a new file.
    pub(crate) fn backup(&self, path: &Path) -> Result<(), QueryError> {
        let span = self.timed(telemetry::backup(self.name()));
        let _entered = span.enter();
        self.read(Span::Statement, &mut |connection| {
            // Between two steps SQLite runs nothing that could be interrupted.
            connection.backup_to(path, &|| self.gate.check_read().is_ok()).map_err(|error| {
                let message = error.message.clone();
                // Most failures are the new file's; those of the store's own stop it.
                match self.refused("", error) {
                    kind @ (QueryErrorKind::Store(_) | QueryErrorKind::Interrupted) => kind,
                    _ => QueryErrorKind::Backup { file: path.to_owned(), message },
                }
            })
        })
    }
}
