//! Spans that say how long something took. The clock is read only when somebody listens.

use tracing::{Span, span::Entered};

use super::Engine;
use crate::{
    clock::{Runtime, Tick},
    telemetry,
};

/// A span that gets its microseconds when it is dropped.
pub(crate) struct Timed<'a> {
    span: Span,
    runtime: &'a Runtime,
    started: Option<Tick>,
}

impl<'a> Timed<'a> {
    pub(crate) fn new(span: Span, runtime: &'a Runtime) -> Self {
        let started = (!span.is_disabled()).then(|| runtime.now());
        Self { span, runtime, started }
    }

    pub(crate) fn enter(&self) -> Entered<'_> {
        self.span.enter()
    }

    pub(crate) fn record(&self, field: &'static str, count: u64) {
        self.span.record(field, count);
    }
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        if let Some(started) = self.started {
            telemetry::record_micros(&self.span, self.runtime.now().since(started));
        }
    }
}

impl Engine {
    pub(super) fn timed(&self, span: Span) -> Timed<'_> {
        Timed::new(span, &self.shared.runtime)
    }
}
