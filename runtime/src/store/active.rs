//! Reads that run now: what an eviction interrupts, and what closing waits for.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use crate::{
    clock,
    primitives::{Condvar, Mutex, MutexGuard},
    storage::sqlite::Interrupter,
};

/// How long a read that was interrupted is waited for before it is interrupted again: most end at once.
const AGAIN: Duration = Duration::from_millis(10);

/// Reads that run now.
#[derive(Default)]
pub(crate) struct ActiveReads {
    running: Mutex<Running>,
    ended: Condvar,
}

#[derive(Default)]
struct Running {
    reads: Vec<Arc<Interrupter>>,
    /// How many wait until none runs. Waking asks the operating system, also where nobody waits.
    waiting: usize,
}

impl ActiveReads {
    /// Notes a read until the guard is dropped. The guard goes before the connection is used for anything else, so that
    /// an interruption never hits another's work.
    pub(crate) fn enter(&self, interrupter: &Arc<Interrupter>) -> ActiveRead<'_> {
        self.lock().reads.push(Arc::clone(interrupter));
        ActiveRead { reads: self, interrupter: Arc::clone(interrupter) }
    }

    /// Interrupts all; does not wait.
    pub(crate) fn interrupt(&self) {
        self.lock().reads.iter().for_each(|read| read.interrupt());
    }

    /// Interrupts all, and waits until none runs.
    pub(crate) fn wait(&self) {
        let mut running = self.lock();
        while !running.reads.is_empty() {
            // SQLite forgets an interruption that comes before a statement's first step.
            running.reads.iter().for_each(|read| read.interrupt());
            running.waiting += 1;
            (running, _) = clock::wait_at_most(&self.ended, running, AGAIN);
            running.waiting -= 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
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
        if let Some(at) = running.reads.iter().position(|read| Arc::ptr_eq(read, &self.interrupter)) {
            running.reads.swap_remove(at);
        }
        if running.reads.is_empty() && running.waiting > 0 {
            self.reads.ended.notify_all();
        }
    }
}
