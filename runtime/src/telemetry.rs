//! Spans: their names and fields in one place. Never argument values, never a `sync_payload`.

use tracing::{Id, Span, field::Empty};

use crate::{options::Attributes, store::StoreName};

/// What a load is a child of.
#[derive(Clone)]
pub(crate) enum Parent {
    /// A span of this process.
    Span(Span),
    /// The span that was current when the store was asked for: nobody has named it.
    Current(Span),
    /// A context of OpenTelemetry, perhaps of another process.
    #[cfg(feature = "otel")]
    Context(opentelemetry::Context),
}

impl Parent {
    pub(crate) fn current() -> Self {
        Self::Current(Span::current())
    }

    /// The span that somebody has named.
    pub(crate) fn named(&self) -> Option<&Span> {
        match self {
            Self::Span(span) => Some(span),
            Self::Current(_) => None,
            #[cfg(feature = "otel")]
            Self::Context(_) => None,
        }
    }

    fn id(&self) -> Option<Id> {
        match self {
            Self::Span(span) | Self::Current(span) => span.id(),
            #[cfg(feature = "otel")]
            Self::Context(_) => None,
        }
    }
}

/// A load, from its beginning to the end of `on_load`.
pub(crate) fn load(parent: Option<&Parent>, name: &StoreName, attributes: &Attributes) -> Span {
    let id = parent.and_then(Parent::id);
    let span = tracing::info_span!(
        parent: id, "larder.load", store = name.definition(), id = name.id().as_str(), attributes = Empty, events = Empty,
        outcome = Empty, micros = Empty,
    );
    if !attributes.is_empty() {
        span.record("attributes", tracing::field::display(attributes));
    }
    #[cfg(feature = "otel")]
    otel::load(&span, parent, attributes);
    span
}

#[cfg(feature = "otel")]
mod otel {
    use opentelemetry::Value;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    use super::{Attributes, Parent, Span};

    /// The context of another process as parent, and attributes by their own names.
    pub(super) fn load(span: &Span, parent: Option<&Parent>, attributes: &Attributes) {
        if let Some(Parent::Context(context)) = parent {
            // It fails when no OpenTelemetry layer is there, and then nobody asks for parents.
            let _ = span.set_parent(context.clone());
        }
        for (key, value) in attributes.iter() {
            let value: Value = match value {
                serde_json::Value::Bool(value) => (*value).into(),
                serde_json::Value::String(value) => value.clone().into(),
                serde_json::Value::Number(value) => match (value.as_i64(), value.as_f64()) {
                    (Some(value), _) => value.into(),
                    (None, Some(value)) => value.into(),
                    (None, None) => value.to_string().into(),
                },
                other => other.to_string().into(),
            };
            span.set_attribute(key.to_owned(), value);
        }
    }
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

/// A check of the whole store; `events` and `micros` are recorded at its end.
pub(crate) fn verify(name: &StoreName) -> Span {
    tracing::info_span!(
        "larder.verify",
        store = name.definition(),
        id = name.id().as_str(),
        events = Empty,
        micros = Empty
    )
}

/// A copy of the whole store.
pub(crate) fn backup(name: &StoreName) -> Span {
    tracing::info_span!("larder.backup", store = name.definition(), id = name.id().as_str(), micros = Empty)
}

/// A store leaves the registry: `reason` is `gc`, `evict`, `capacity`, `stopped`, `shutdown`.
pub(crate) fn evict(name: &StoreName, reason: &'static str) -> Span {
    tracing::info_span!("larder.evict", store = name.definition(), id = name.id().as_str(), reason, micros = Empty)
}

/// A registry shuts down.
pub(crate) fn shutdown(stores: usize) -> Span {
    tracing::info_span!("larder.shutdown", stores, unsent = Empty, micros = Empty)
}

/// How far a commit has come: said at level TRACE when a phase ends, for profiles.
pub(crate) fn ended(phase: &'static str) {
    tracing::trace!(target: "larder::commit", phase);
}

/// Records how long it took.
pub(crate) fn record_micros(span: &Span, took: std::time::Duration) {
    span.record("micros", u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}

/// What happened, for tests to assert on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub))]
#[non_exhaustive]
pub enum Happened {
    /// A load began.
    Loading(StoreName),
    /// A load ended well, and all who waited have the store.
    Loaded(StoreName),
    /// A load failed or was cancelled; its file is closed.
    LoadFailed(StoreName),
    /// So many events were committed.
    Committed(StoreName, usize),
    /// A store was taken out of use: by `gc`, `evict`, `capacity`, `stopped` or `shutdown`.
    Evicted(StoreName, &'static str),
    /// A store's file is closed.
    Closed(StoreName),
    /// A store's files were deleted.
    Deleted(StoreName),
}

impl std::fmt::Display for Happened {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Loading(store) => write!(formatter, "loading {store}"),
            Self::Loaded(store) => write!(formatter, "loaded {store}"),
            Self::LoadFailed(store) => write!(formatter, "load failed {store}"),
            Self::Committed(store, events) => write!(formatter, "committed {events} {store}"),
            Self::Evicted(store, reason) => write!(formatter, "evicted {store} ({reason})"),
            Self::Closed(store) => write!(formatter, "closed {store}"),
            Self::Deleted(store) => write!(formatter, "deleted {store}"),
        }
    }
}

/// Hears what happens.
pub(crate) type Recorder = std::sync::Arc<dyn Fn(Happened) + Send + Sync>;
