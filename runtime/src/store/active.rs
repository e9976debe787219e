//! Reads that run now: what an eviction interrupts, and what closing waits for.

use std::sync::{Arc, PoisonError};

use crate::{
    primitives::{Condvar, Mutex, MutexGuard},
    storage::sqlite::Interrupter,
};

/// Reads that run now.
#[derive(Default)]
pub(crate) struct ActiveReads {
    running: Mutex<Vec<Arc<Interrupter>>>,
    ended: Condvar,
}

impl ActiveReads {
    /// Notes a read until the guard is dropped. The guard goes before the connection is used for anything else, so that
    /// an interruption never hits another's work.
    pub(crate) fn enter(&self, interrupter: &Arc<Interrupter>) -> ActiveRead<'_> {
        self.lock().push(Arc::clone(interrupter));
        ActiveRead { reads: self, interrupter: Arc::clone(interrupter) }
    }

    /// Interrupts all; does not wait.
    pub(crate) fn interrupt(&self) {
        self.lock().iter().for_each(|read| read.interrupt());
    }

    /// Waits until none runs.
    pub(crate) fn wait(&self) {
        let mut running = self.lock();
        while !running.is_empty() {
            running = self.ended.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Interrupter>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One read that runs.
pub(crate) struct ActiveRead<'a> {
    reads: &'a ActiveReads,
    interrupter: Arc<Interrupter>,
}

impl Drop for ActiveRead<'_> {
    fn drop(&mut self) {
        let mut running = self.reads.lock();
        if let Some(at) = running.iter().position(|read| Arc::ptr_eq(read, &self.interrupter)) {
            running.swap_remove(at);
        }
        if running.is_empty() {
            self.reads.ended.notify_all();
        }
    }
}
