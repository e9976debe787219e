//! Quarantined events: pending ones that do not materialize any more.

use super::{Engine, read::Span};
use crate::{error::QueryError, event::StoredEvent, storage::quarantine};

/// A pending event that was taken out of the log because it no longer materializes, behind the events of others or with a new release of
/// the app, from [`Store::quarantined_events`](crate::Store::quarantined_events). No other client will see it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuarantinedEvent {
    /// The event, with the number that it had last.
    pub event: StoredEvent,
    /// Why it did not materialize.
    pub reason: String,
}

impl Engine {
    /// All quarantined events, oldest first.
    pub(crate) fn quarantined_events(&self) -> Result<Vec<QuarantinedEvent>, QueryError> {
        let mut found = Vec::new();
        self.read(Span::Snapshot, &mut |connection| {
            let all = quarantine::all(connection).map_err(|error| self.refused("the quarantined events", error))?;
            found = all.into_iter().map(|(event, reason)| QuarantinedEvent { event, reason }).collect();
            Ok(())
        })?;
        Ok(found)
    }
}
