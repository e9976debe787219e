//! What waits for the client to read it.

use std::{collections::VecDeque, time::Duration};

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    texts: VecDeque<String>,
    bytes: usize,
    /// When the client last made progress while something waited.
    waiting_since: Option<Duration>,
}

impl Outbox {
    pub(crate) fn push(&mut self, text: String, now: Duration) {
        self.bytes += text.len();
        self.texts.push_back(text);
        self.waiting_since.get_or_insert(now);
    }

    pub(crate) fn pop(&mut self, now: Duration) -> Option<String> {
        let text = self.texts.pop_front()?;
        self.bytes -= text.len();
        self.waiting_since = (!self.texts.is_empty()).then_some(now);
        Some(text)
    }

    /// The client takes something of what it was given.
    pub(crate) fn takes(&mut self, now: Duration) {
        self.waiting_since = self.waiting_since.map(|_| now);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    pub(crate) fn frames(&self) -> usize {
        self.texts.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn waiting_since(&self) -> Option<Duration> {
        self.waiting_since
    }
}
