//! Deprecated events: a warning, once per process and event.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use super::StoreName;
use crate::event::EventInfo;

/// Warns of an event if it is deprecated, the first time in this process.
pub(crate) fn warn_once(store: &StoreName, &EventInfo { name: event, deprecated, .. }: &'static EventInfo) {
    let Some(reason) = deprecated else { return };
    static WARNED: Mutex<Option<HashSet<(&'static str, &'static str)>>> = Mutex::new(None);
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.get_or_insert_default().insert((store.definition(), event)) {
        drop(warned);
        tracing::warn!(
            store = store.definition(),
            id = store.id().as_str(),
            event,
            reason,
            "a deprecated event was committed"
        );
    }
}
