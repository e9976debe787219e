//! What a server takes and for how long it waits.

use std::time::Duration;

use larder_wire::Limits;

use crate::storage::{PageSize, encoded::AROUND_PAGE};

/// The limits of a server. The defaults suit apps; a server that only machines talk to may want others.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Sizes of messages, batches and events.
    pub wire: Limits,
    /// Pushes a second and connection; one second's worth may come at once.
    pub pushes_per_second: u32,
    /// Bytes a second and connection that clients may send.
    pub bytes_per_second: u64,
    /// Stores a connection.
    pub stores_per_connection: usize,
    /// Frames that may wait for a reader.
    pub queue_frames: usize,
    /// Bytes that may wait for a reader.
    pub queue_bytes: usize,
    /// How long a reader may have more than that waiting before it is dropped.
    pub slow_reader: Duration,
    /// How long a connection may last before the first request on it is permitted.
    pub unauthenticated: Duration,
    /// How long a permit holds for a live pull before it is asked for again; with zero it is asked for with each page. What the rules revoke
    /// counts at once.
    pub permit: Duration,
    /// Connections at once.
    pub connections: usize,
    /// How long a stopping server waits for what is in progress.
    pub shutdown: Duration,
    /// The origins whose pages may connect, such as `https://app.example`; empty: all.
    pub origins: Vec<String>,
}

/// A setting with which a server would be of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// It leaves nobody anything.
    #[error("`{name}` is too little; give at least {least}, or leave it out for the usual {usual}")]
    TooLittle {
        /// Which, as a configuration file has it.
        name: &'static str,
        /// The least that is of use.
        least: &'static str,
        /// What is usual.
        usual: &'static str,
    },
    /// No app could read what it permits. A configuration file with it is refused; [`Settings`] that an app makes itself are not looked at for that.
    #[error("`{name}` is too much; give at most {most}, or leave it out for the usual {usual}")]
    TooMuch {
        /// Which, as a configuration file has it.
        name: &'static str,
        /// The most that can be read.
        most: usize,
        /// What is usual.
        usual: &'static str,
    },
}

impl Settings {
    /// Whether a server with these settings can serve anybody.
    ///
    /// # Errors
    /// [`SettingsError`]: the first setting that is of no use.
    pub fn check(&self) -> Result<(), SettingsError> {
        let wire = &self.wire;
        let all = [
            ("event_bytes", wire.event_bytes > 0, "1", "262144"),
            ("batch_events", wire.batch_events > 0, "1", "100"),
            ("batch_bytes", wire.batch_bytes > 0, "1", "1048576"),
            // Less has no room for an event beside what is around it.
            ("message_bytes", wire.message_bytes >= 2 * AROUND_PAGE, "8192", "2097152"),
            // As many as a push without arguments has.
            ("json_depth", wire.json_depth >= 4, "4", "64"),
            ("stores_per_connection", self.stores_per_connection > 0, "1", "256"),
            ("pushes_per_second", self.pushes_per_second > 0, "1", "50"),
            ("bytes_per_second", self.bytes_per_second > 0, "1", "5242880"),
            ("queue_frames", self.queue_frames > 0, "1", "1000"),
            ("queue_bytes", self.queue_bytes > 0, "1", "1048576"),
            ("unauthenticated_seconds", !self.unauthenticated.is_zero(), "0.1", "5"),
            ("connections", self.connections > 0, "1", "10000"),
        ];
        match all.into_iter().find(|(_, is_enough, ..)| !is_enough) {
            Some((name, _, least, usual)) => Err(SettingsError::TooLittle { name, least, usual }),
            None => Ok(()),
        }
    }

    /// Bytes of events, as JSON has them, that fit one message.
    pub(crate) fn page_bytes(&self) -> usize {
        self.wire.message_bytes.saturating_sub(AROUND_PAGE)
    }

    /// How large pages are.
    pub(crate) fn page(&self) -> PageSize {
        let usual = PageSize::default();
        PageSize { bytes: usual.bytes.min(self.page_bytes()), ..usual }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            wire: Limits::default(),
            pushes_per_second: Limits::PUSHES_PER_SECOND,
            bytes_per_second: Limits::BYTES_PER_SECOND,
            stores_per_connection: Limits::STORES_PER_CONNECTION,
            queue_frames: 1_000,
            queue_bytes: 1024 * 1024,
            slow_reader: Duration::from_secs(2),
            unauthenticated: Duration::from_secs(5),
            permit: Duration::from_secs(10),
            connections: 10_000,
            shutdown: Duration::from_secs(10),
            origins: Vec::new(),
        }
    }
}
