//! What a projection asks of its sources: the events after those that it has.

use std::sync::{Arc, PoisonError};

use crate::{
    error::{QueryError, QueryErrorKind},
    id::StoreId,
    primitives::Mutex,
    registry::InStore,
    store::{ClosedStore, Engine, FromSource, Position, SourceRead, read_source},
};

/// Events read of one source at a time.
const READ_EVENTS: usize = 500;

/// A way to several sources, and what was found there.
pub(super) struct Reading {
    sources: Vec<(StoreId, Option<Position>)>,
    found: Mutex<Vec<FromSource>>,
}

impl Reading {
    pub(super) fn new(sources: Vec<(StoreId, Option<Position>)>) -> Self {
        Self { sources, found: Mutex::default() }
    }

    /// The sources that have something new.
    pub(super) fn take(&self) -> Vec<FromSource> {
        std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn found(&self, number: usize, read: SourceRead, stamp: String) {
        let (id, before) = &self.sources[number];
        // Only of a file that was read to its end is known that there is nothing else in it.
        let stamp = if read.more { String::new() } else { stamp };
        let is_known = before.as_ref().is_some_and(|before| stamp.is_empty() || before.stamp == stamp);
        if is_known && read.events.is_empty() && !read.reset {
            return;
        }
        let from = FromSource { id: id.clone(), read: Some(read), stamp };
        self.found.lock().unwrap_or_else(PoisonError::into_inner).push(from);
    }
}

impl InStore for Reading {
    fn loaded(&self, number: usize, engine: &Arc<Engine>) -> Result<(), QueryError> {
        let before = self.sources[number].1.as_ref().map(|before| &before.head);
        self.found(number, engine.read_as_source(before, READ_EVENTS)?, String::new());
        Ok(())
    }

    fn closed(&self, number: usize, store: ClosedStore<'_>) -> Result<(), QueryErrorKind> {
        let ClosedStore { connection, key, stamp } = store;
        let before = self.sources[number].1.as_ref().map(|before| &before.head);
        let read = read_source(connection, key, before, READ_EVENTS);
        // A load says better what is wrong.
        let read = read.map_err(|error| QueryErrorKind::Storage { message: error.to_string() })?;
        self.found(number, read, stamp);
        Ok(())
    }
}
