//! A store: one eventlog and the tables that its events build.

use std::{fmt, marker::PhantomData};

use crate::id::StoreId;

mod host;
mod report;

pub(crate) use host::{EngineHost, NoHost, ProgressSink};
pub use report::{LoadProgress, Migration, MigrationsReport, RebuildReason};

/// A definition's name and a store id: `workspace/ws:1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreName {
    definition: &'static str,
    id: StoreId,
}

impl StoreName {
    pub(crate) fn new(definition: &'static str, id: StoreId) -> Self {
        Self { definition, id }
    }

    /// The definition's name.
    pub fn definition(&self) -> &'static str {
        self.definition
    }

    /// The store id.
    pub fn id(&self) -> &StoreId {
        &self.id
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.definition, self.id)
    }
}

/// One loaded store.
pub struct Store<D> {
    types: PhantomData<fn() -> D>,
}
