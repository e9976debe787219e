//! What a store is called in messages.

use std::fmt;

use crate::id::StoreId;

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
