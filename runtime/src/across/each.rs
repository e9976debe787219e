//! One query, asked of each store for itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use crate::{
    error::{QueryError, QueryErrorKind},
    primitives::Mutex,
    query::Query,
    registry::InStore,
    store::{ClosedStore, Engine},
};

/// What each store has answered, by its number.
pub(super) struct Each<Q: Query> {
    query: Q,
    answers: Mutex<BTreeMap<usize, Q::Output>>,
}

impl<Q: Query> Each<Q> {
    pub(super) fn new(query: Q) -> Self {
        Self { query, answers: Mutex::default() }
    }

    pub(super) fn take(&self) -> BTreeMap<usize, Q::Output> {
        std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, number: usize, answer: Q::Output) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(number, answer);
    }
}

impl<Q: Query + Send + Sync + 'static> InStore for Each<Q> {
    fn loaded(&self, number: usize, engine: &Arc<Engine>) -> Result<(), QueryError> {
        self.add(number, engine.query(&self.query)?);
        Ok(())
    }

    fn closed(&self, number: usize, store: ClosedStore<'_>) -> Result<(), QueryErrorKind> {
        self.add(number, self.query.__run(store.connection)?);
        Ok(())
    }
}
