//! What live queries need of their store.

use super::{
    Engine,
    read::{Session, Span, head},
};
use crate::{
    error::{QueryError, QueryErrorKind, StoreError},
    event::EventNumber,
    live::LiveQueries,
    query::Reads,
    table::TableSchema,
    telemetry,
};

/// What is done with one consistent state and the number of its last event.
type OnState<'a> = dyn FnMut(&mut dyn Reads, EventNumber) -> Result<(), QueryErrorKind> + 'a;

impl Engine {
    /// The store's live queries.
    pub(crate) fn live(&self) -> &LiveQueries {
        &self.live
    }

    /// The schema's tables.
    pub(crate) fn tables(&self) -> &[&'static TableSchema] {
        self.shared.model.tables()
    }

    /// Why the store answers nothing any more.
    pub(crate) fn stopped(&self) -> Option<StoreError> {
        self.gate.check_read().err()
    }

    /// Runs `work` on one consistent state, with the number of its last event.
    pub(crate) fn read_state(&self, work: &mut OnState<'_>) -> Result<(), QueryError> {
        let span = self.timed(telemetry::query(self.name()));
        let _entered = span.enter();
        self.read(Span::Snapshot, &mut |connection| {
            let head = head(self, connection)?;
            let mut session = Session::new(self, connection);
            work(&mut session, head)?;
            span.record("rows", session.rows());
            Ok(())
        })
    }

    /// Wakes whoever waits for anything: the store is gone.
    pub(super) fn wake_everybody(&self) {
        self.watchers.wake_all();
        self.ending.wake_all();
        self.live.wake_all();
    }
}
