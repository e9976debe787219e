//! Events that did not materialize.

use super::{Engine, read::Span};
use crate::{
    error::QueryError,
    event::StoredEvent,
    storage::{
        eventlog::{LogCursor, LogError},
        sqlite::SqliteError,
    },
    value::ValueRef,
};

/// An event of the log that does not materialize, from [`Store::failed_events`](crate::Store::failed_events).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FailedEvent {
    /// The event; it stays in the log and is tried again at each rebuild.
    pub event: StoredEvent,
    /// Why it failed the last time.
    pub reason: String,
}

impl Engine {
    /// All events that did not materialize, in the order of the log.
    pub(crate) fn failed_events(&self) -> Result<Vec<FailedEvent>, QueryError> {
        let mut failed = Vec::new();
        self.read(Span::Snapshot, &mut |connection| {
            let mut listed = Vec::new();
            let sql = "SELECT place, reason FROM larder_failed ORDER BY place";
            let read = connection.each_row(sql, &[], |row| {
                if let (ValueRef::Integer(place), ValueRef::Text(reason)) = (row.value(0), row.value(1)) {
                    listed.push((place, reason.to_owned()));
                }
                Ok::<_, SqliteError>(true)
            });
            read.map_err(|error| self.refused(sql, error))?;
            for (place, reason) in listed {
                let refused = |error: LogError| self.log_refused(error);
                let mut cursor = LogCursor::after(connection, self.shared.key.clone(), place - 1).map_err(refused)?;
                cursor.read(connection, 1).map_err(refused)?;
                failed.extend(cursor.rows().map(|row| FailedEvent { event: row.to_stored(), reason: reason.clone() }));
            }
            Ok(())
        })?;
        Ok(failed)
    }
}
