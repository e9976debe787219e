//! What merges per key over the cascade: `sync_payload` and telemetry attributes.

use std::{collections::BTreeMap, fmt};

/// What a sync backend is told with every request, such as a token. Never logged: `Debug` shows the keys only.
#[derive(Clone, Default, PartialEq)]
pub struct Payload(BTreeMap<String, serde_json::Value>);

/// Attributes of the spans of a store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(BTreeMap<String, serde_json::Value>);

impl fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}
