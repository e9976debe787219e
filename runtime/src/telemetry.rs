//! Spans: their names and fields in one place. Never argument values, never a `sync_payload`.

use tracing::{Span, field::Empty};

use crate::store::StoreName;

/// A load, from the first waiter to the end of `on_load`.
pub(crate) fn load(parent: Option<&Span>, name: &StoreName, attributes: &crate::options::Attributes) -> Span {
    let parent = parent.and_then(Span::id).or_else(|| Span::current().id());
    let span = tracing::info_span!(
        parent: parent, "larder.load", store = name.definition(), id = name.id().as_str(), attributes = Empty, events = Empty,
        micros = Empty, outcome = Empty,
    );
    if !attributes.is_empty() {
        span.record("attributes", tracing::field::display(attributes));
    }
    span
}

/// A commit; `events` is recorded at once, `micros` at its end.
pub(crate) fn commit(name: &StoreName, events: usize) -> Span {
    tracing::debug_span!("larder.commit", store = name.definition(), id = name.id().as_str(), events, micros = Empty)
}

/// A query; `rows` and `micros` are recorded at its end.
pub(crate) fn query(name: &StoreName) -> Span {
    tracing::debug_span!(
        "larder.query",
        store = name.definition(),
        id = name.id().as_str(),
        rows = Empty,
        micros = Empty
    )
}

/// A rebuild of the tables from the eventlog.
pub(crate) fn rebuild(name: &StoreName) -> Span {
    tracing::info_span!(
        "larder.rebuild",
        store = name.definition(),
        id = name.id().as_str(),
        events = Empty,
        failed = Empty,
        micros = Empty
    )
}

/// A store leaves the registry: `reason` is `gc`, `evict`, `capacity`, `stopped`, `shutdown`.
pub(crate) fn evict(name: &StoreName, reason: &'static str) -> Span {
    tracing::info_span!("larder.evict", store = name.definition(), id = name.id().as_str(), reason, micros = Empty)
}

/// A registry shuts down.
pub(crate) fn shutdown(stores: usize) -> Span {
    tracing::info_span!("larder.shutdown", stores, unsent = Empty, micros = Empty)
}

/// Records how long it took.
pub(crate) fn record_micros(span: &Span, took: std::time::Duration) {
    span.record("micros", u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}
