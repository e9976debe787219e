//! Where tasks run in the tests of races: on the scheduler that tries many orders, which also counts what has not ended.

use std::cell::Cell;

use tokio::time::Instant;

use crate::definition::BoxFuture;

thread_local! {
    static ALIVE: Cell<usize> = const { Cell::new(0) };
}

/// Tasks and blocking work that have begun and have not ended, of the schedule that runs on this thread.
pub(crate) fn alive() -> usize {
    ALIVE.get()
}

/// Forgets what a schedule before this one left behind when it failed.
pub(crate) fn none_alive() {
    ALIVE.set(0);
}

struct Alive;

impl Alive {
    fn new() -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
    }
}

pub(super) struct Spawner;

impl Spawner {
    pub(super) fn current_or_private() -> Result<Self, String> {
        Ok(Self)
    }

    pub(super) fn private() -> Result<Self, String> {
        Ok(Self)
    }

    pub(super) fn spawn(&self, task: BoxFuture<'static, ()>) {
        let alive = Alive::new();
        drop(shuttle::future::spawn(async move {
            task.await;
            drop(alive);
        }));
    }

    pub(super) fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        let alive = Alive::new();
        drop(shuttle::thread::spawn(move || {
            work();
            drop(alive);
        }));
    }

    /// These tests have no real time.
    pub(super) fn sleep_until(&self, _: Instant) -> std::future::Pending<()> {
        std::future::pending()
    }
}
