//! Whose rows a projection's are: the first column of each of its tables.

use super::{ColumnType, ColumnValue, Encoded, NotNull, Storage, ValueError, ValueRef};
use crate::{
    definition::SOURCE,
    id::{StoreId, StoreIdError, StoreKey},
    query::THIS,
};

/// The store that a row of a projection is made of: the first column of each table of a projection.
///
/// In a materializer it is [`SourceId::this`], whatever the row says: larder sets it, and lets a source's events see and write no others. In
/// queries it is any store's, `ListedIssue::SOURCE.eq(SourceId::from(id))`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(Option<StoreId>);

impl SourceId {
    /// The source whose event is materialized. Outside of a projection's materializer it is no store's.
    pub const fn this() -> Self {
        Self(None)
    }

    /// The store's id; `None` for [`this`](Self::this).
    pub fn id(&self) -> Option<&StoreId> {
        self.0.as_ref()
    }

    /// The store's id as the definition of the source has it.
    ///
    /// # Errors
    /// When the id does not fit the key's pattern, or it is [`this`](Self::this).
    pub fn key<K: StoreKey>(&self) -> Result<K, StoreIdError> {
        K::from_store_id(self.0.as_ref().ok_or(StoreIdError::Empty)?)
    }
}

impl From<StoreId> for SourceId {
    fn from(id: StoreId) -> Self {
        Self(Some(id))
    }
}

impl From<&StoreId> for SourceId {
    fn from(id: &StoreId) -> Self {
        Self(Some(id.clone()))
    }
}

impl std::fmt::Display for SourceId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.0.as_ref().map_or("this source", StoreId::as_str))
    }
}

impl serde::Serialize for SourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().map(StoreId::as_str).serialize(serializer)
    }
}

impl ColumnValue for SourceId {
    const TYPE: ColumnType = ColumnType::new(Storage::Text, SOURCE);

    fn encode(&self) -> Result<Encoded<'_>, ValueError> {
        Ok(Encoded::Text(self.0.as_ref().map_or(THIS, StoreId::as_str).into()))
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        let text = match value {
            ValueRef::Text(text) => text,
            other => return Err(ValueError::Type { expected: "a source", found: other.storage_name() }),
        };
        let invalid = |error: StoreIdError| ValueError::Invalid {
            expected: "SourceId",
            text: text.chars().take(64).collect(),
            reason: error.to_string(),
        };
        text.parse().map(|id| Self(Some(id))).map_err(invalid)
    }
}

impl NotNull for SourceId {}
