//! A log of what happened, to assert on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::telemetry::{Happened, Recorder};

/// What happened in a registry, in order. Tests assert the sequence: that is how "not loaded twice" is proved.
///
/// ```
/// use larder::{StoreRegistry, testing::{EventLog, ManualClock}};
/// let log = EventLog::new();
/// let registry = StoreRegistry::builder().in_memory().clock(&ManualClock::new()).log(&log).build()?;
/// assert_eq!(log.take(), Vec::<String>::new());
/// # drop(registry);
/// # Ok::<(), larder::LoadError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    happened: Arc<Mutex<Vec<Happened>>>,
}

impl EventLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// What happened since the last call, as text: `loaded issue/issue:1`, `committed 2 issue/issue:1`, `evicted issue/issue:1 (gc)`.
    pub fn take(&self) -> Vec<String> {
        self.take_happened().iter().map(ToString::to_string).collect()
    }

    /// What happened since the last call.
    pub fn take_happened(&self) -> Vec<Happened> {
        std::mem::take(&mut *self.lock())
    }

    pub(crate) fn recorder(&self) -> Recorder {
        let log = self.clone();
        Arc::new(move |happened| log.lock().push(happened))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Happened>> {
        self.happened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
