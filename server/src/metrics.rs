//! What a server has done, as Prometheus reads it. No name of a store or client is in it.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
};

use larder_wire::RefusalKind;

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    connections: AtomicI64,
    sockets: AtomicI64,
    live_pulls: AtomicI64,
    connections_total: AtomicU64,
    connections_refused: AtomicU64,
    pushes: AtomicU64,
    events: AtomicU64,
    event_bytes: AtomicU64,
    pages: AtomicU64,
    page_events: AtomicU64,
    ahead: AtomicU64,
    unauthorized: AtomicU64,
    too_fast: AtomicU64,
    refused: AtomicU64,
    slow_readers: AtomicU64,
    defects: AtomicU64,
    storage_errors: AtomicU64,
}

/// Something that is counted while it lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gauge {
    Connections,
    Sockets,
}

/// Something that is counted when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    ConnectionRefused,
    Ahead,
    SlowReader,
    Defect,
    StorageError,
    Refused(RefusalKind),
    Page { events: usize },
    LivePulls { change: i64 },
}

/// Counts something down again when it ends.
pub(crate) struct Lasting<'a> {
    metrics: &'a Metrics,
    gauge: Gauge,
}

impl Drop for Lasting<'_> {
    fn drop(&mut self) {
        self.metrics.gauge(self.gauge).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    pub(crate) fn lasting(&self, gauge: Gauge) -> Lasting<'_> {
        self.gauge(gauge).fetch_add(1, Ordering::Relaxed);
        if matches!(gauge, Gauge::Connections) {
            self.connections_total.fetch_add(1, Ordering::Relaxed);
        }
        Lasting { metrics: self, gauge }
    }

    fn gauge(&self, gauge: Gauge) -> &AtomicI64 {
        match gauge {
            Gauge::Connections => &self.connections,
            Gauge::Sockets => &self.sockets,
        }
    }

    pub(crate) fn pushed(&self, events: usize, bytes: usize) {
        add(&self.pushes, 1);
        add(&self.events, events);
        add(&self.event_bytes, bytes);
    }

    pub(crate) fn count(&self, count: Count) {
        match count {
            Count::ConnectionRefused => add(&self.connections_refused, 1),
            Count::Ahead => add(&self.ahead, 1),
            Count::SlowReader => add(&self.slow_readers, 1),
            Count::Defect => add(&self.defects, 1),
            Count::StorageError => add(&self.storage_errors, 1),
            Count::Refused(RefusalKind::Unauthenticated | RefusalKind::Forbidden) => add(&self.unauthorized, 1),
            Count::Refused(RefusalKind::TooFast) => add(&self.too_fast, 1),
            Count::Refused(_) => add(&self.refused, 1),
            Count::LivePulls { change } => {
                self.live_pulls.fetch_add(change, Ordering::Relaxed);
            }
            Count::Page { events } => {
                add(&self.pages, 1);
                add(&self.page_events, events);
            }
        }
    }

    /// All of it, in Prometheus' text format.
    pub(crate) fn text(&self, followed: usize, healthy: bool) -> String {
        let mut out = String::new();
        let mut line = |name: &str, kind: &str, help: &str, value: i64| {
            // Writing to a string cannot fail.
            let _ = write!(
                out,
                "# HELP larder_server_{name} {help}\n# TYPE larder_server_{name} {kind}\nlarder_server_{name} {value}\n"
            );
        };
        line("connections", "gauge", "Open connections.", self.connections.load(Ordering::Relaxed));
        line("sockets", "gauge", "Open WebSockets.", self.sockets.load(Ordering::Relaxed));
        line("live_pulls", "gauge", "Live pulls.", self.live_pulls.load(Ordering::Relaxed));
        line("followed_stores", "gauge", "Stores with a live pull.", i64::try_from(followed).unwrap_or(i64::MAX));
        line("storage_healthy", "gauge", "1 while the storage takes appends.", i64::from(healthy));
        let counters = [
            ("connections_total", "Connections taken.", &self.connections_total),
            (
                "connections_refused_total",
                "Connections refused because there were too many.",
                &self.connections_refused,
            ),
            ("pushes_total", "Pushes in the log.", &self.pushes),
            ("events_total", "Events in the log.", &self.events),
            ("event_bytes_total", "Bytes of these events.", &self.event_bytes),
            ("pages_total", "Pages sent.", &self.pages),
            ("page_events_total", "Events in these pages.", &self.page_events),
            ("server_ahead_total", "Pushes that did not follow the head.", &self.ahead),
            ("unauthorized_total", "Requests that nobody permitted.", &self.unauthorized),
            ("too_fast_total", "Requests beyond the rate limits.", &self.too_fast),
            ("refused_total", "Requests refused for other reasons.", &self.refused),
            ("slow_readers_total", "Connections dropped because they read too slowly.", &self.slow_readers),
            ("defects_total", "Messages that were garbage.", &self.defects),
            ("storage_errors_total", "Requests that failed because the storage did.", &self.storage_errors),
        ];
        for (name, help, value) in counters {
            line(name, "counter", help, i64::try_from(value.load(Ordering::Relaxed)).unwrap_or(i64::MAX));
        }
        out
    }
}

fn add(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}
