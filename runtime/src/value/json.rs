//! A column that holds JSON.

use serde::{Serialize, de::DeserializeOwned};

use crate::event::json_text;

use super::{ColumnType, ColumnValue, Encoded, NotNull, Storage, ValueError, ValueRef};

/// A column that holds any serde type as JSON text. As in an event's arguments, floats are finite and arrays and objects at most 64
/// deep inside each other: what is written reads back.
///
/// ```
/// use larder::Json;
/// let labels = Json(vec!["bug".to_owned()]);
/// assert_eq!(labels.0.len(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Json<T>(pub T);

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> ColumnValue for Json<T> {
    const TYPE: ColumnType = ColumnType::new(Storage::Text, "json");

    fn encode(&self) -> Result<Encoded<'_>, ValueError> {
        match json_text(&self.0) {
            Ok(text) => Ok(Encoded::Text(text.into())),
            Err(error) => Err(invalid("", error.to_string())),
        }
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        match value {
            ValueRef::Text(text) => {
                serde_json::from_str(text).map(Json).map_err(|error| invalid(text, error.to_string()))
            }
            other => Err(ValueError::Type { expected: "JSON text", found: other.storage_name() }),
        }
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> NotNull for Json<T> {}

fn invalid(text: &str, reason: String) -> ValueError {
    ValueError::Invalid { expected: "Json", text: text.chars().take(64).collect(), reason }
}
