//! Time, timers and spawning: the one place that touches them.

#[cfg(feature = "testing")]
mod manual;
#[cfg(all(test, larder_shuttle))]
pub(crate) mod scheduled;
#[cfg(not(all(test, larder_shuttle)))]
mod spawner;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::oneshot, time::Instant};

#[cfg(feature = "testing")]
pub(crate) use self::manual::Manual;
#[cfg(all(test, larder_shuttle))]
use self::scheduled::Spawner;
#[cfg(not(all(test, larder_shuttle)))]
use self::spawner::Spawner;
use crate::{
    definition::BoxFuture,
    primitives::{Condvar, MutexGuard},
    seeded,
};

/// A moment, in nanoseconds since its runtime was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tick(u64);

impl Tick {
    /// When the runtime was made.
    pub(crate) const ZERO: Self = Self(0);

    /// Later than any clock reaches, 584 years after the start.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// This much later; [`NEVER`](Self::NEVER) at most.
    #[must_use]
    pub(crate) fn after(self, duration: Duration) -> Self {
        if seeded::bug("gc-time-overflows") {
            return Self(self.0.wrapping_add(duration.as_nanos() as u64));
        }
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How much later this is than `earlier`; zero when it is not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A clock, its timers, and where tasks and blocking work run. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    time: Time,
    spawner: Spawner,
}

enum Time {
    Real {
        /// As tokio has it, whose timers are what waits for it: where a test pauses one, the other stands still, too.
        start: Instant,
    },
    #[cfg(feature = "testing")]
    Manual(Arc<Manual>),
}

impl Runtime {
    /// A byte at random, to spread what many clients would do at once. On a manual clock it follows from how often it was asked for.
    pub(crate) fn jitter(&self) -> u8 {
        match &self.inner.time {
            Time::Real { .. } => uuid::Uuid::new_v4().as_bytes()[0],
            #[cfg(feature = "testing")]
            Time::Manual(manual) => manual.jitter(),
        }
    }

    /// Real time. Tasks run on the tokio runtime that is current, else on one private thread.
    ///
    /// # Errors
    /// When the current tokio runtime has no timer, or the thread cannot be started; the text says what to do.
    pub(crate) fn real() -> Result<Self, String> {
        let spawner = Spawner::current_or_private()?;
        Ok(Self { inner: Arc::new(Inner { time: Time::Real { start: Instant::now() }, spawner }) })
    }

    /// As [`real`](Self::real), for tasks that have sockets.
    ///
    /// # Errors
    /// As of [`real`](Self::real).
    #[cfg(all(any(feature = "http", feature = "ws"), not(all(test, larder_shuttle))))]
    pub(crate) fn for_sockets() -> Result<Self, String> {
        let spawner = Spawner::for_sockets()?;
        Ok(Self { inner: Arc::new(Inner { time: Time::Real { start: Instant::now() }, spawner }) })
    }

    /// Time that moves when a test says so; tasks run as with [`real`](Self::real).
    ///
    /// # Errors
    /// As of [`real`](Self::real).
    #[cfg(feature = "testing")]
    pub(crate) fn manual(time: Arc<Manual>) -> Result<Self, String> {
        let spawner = Spawner::current_or_private()?;
        Ok(Self { inner: Arc::new(Inner { time: Time::Manual(time), spawner }) })
    }

    /// Real time, and always a thread of its own: for callers that block an executor's thread.
    ///
    /// # Errors
    /// When the thread cannot be started.
    #[cfg(feature = "testing")]
    pub(crate) fn private() -> Result<Self, String> {
        let spawner = Spawner::private()?;
        Ok(Self { inner: Arc::new(Inner { time: Time::Real { start: Instant::now() }, spawner }) })
    }

    /// The time.
    pub(crate) fn now(&self) -> Tick {
        match &self.inner.time {
            Time::Real { start } => Tick::ZERO.after(start.elapsed()),
            #[cfg(feature = "testing")]
            Time::Manual(manual) => manual.now(),
        }
    }

    /// The date and time, in whole microseconds: what a column of [`Timestamp`] holds. On a manual clock it is 1970 and how far that was
    /// advanced.
    pub(crate) fn timestamp(&self) -> Timestamp {
        match &self.inner.time {
            Time::Real { .. } => whole_micros(Timestamp::now()),
            #[cfg(feature = "testing")]
            Time::Manual(manual) => {
                let passed = i64::try_from(manual.now().since(Tick::ZERO).as_micros()).unwrap_or(i64::MAX);
                Timestamp::from_microsecond(passed).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Resolves at `deadline`, at once when that is past, never at [`Tick::NEVER`]. The future does not keep the runtime alive.
    pub(crate) fn sleep_until(&self, deadline: Tick) -> BoxFuture<'static, ()> {
        match &self.inner.time {
            Time::Real { start } => match start.checked_add(deadline.since(Tick::ZERO)) {
                Some(at) if deadline != Tick::NEVER => Box::pin(self.inner.spawner.sleep_until(at)),
                _ => Box::pin(std::future::pending()),
            },
            #[cfg(feature = "testing")]
            Time::Manual(manual) if deadline != Tick::NEVER => Box::pin(manual.sleep_until(deadline)),
            #[cfg(feature = "testing")]
            Time::Manual(_) => Box::pin(std::future::pending()),
        }
    }

    /// Resolves after `duration`.
    pub(crate) fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.sleep_until(self.now().after(duration))
    }

    /// Runs a task in the background.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.inner.time {
            Time::Real { .. } => self.inner.spawner.spawn(Box::pin(task)),
            #[cfg(feature = "testing")]
            Time::Manual(manual) => self.inner.spawner.spawn(manual.track(Box::pin(task))),
        }
    }

    /// Runs blocking work on the blocking pool, at once: dropping the future does not stop it.
    pub(crate) fn spawn_blocking<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> Blocking<R> {
        let (sender, receiver) = oneshot::channel();
        #[cfg(feature = "testing")]
        let busy = match &self.inner.time {
            Time::Real { .. } => None,
            Time::Manual(manual) => Some(manual.busy()),
        };
        // The runtime lives until the work is done: a private thread must not end below it.
        let alive = self.clone();
        let work: Box<dyn FnOnce() + Send> = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Panicked::new(panic.as_ref()));
            // Nobody may be waiting any more.
            let _ = sender.send(result);
            #[cfg(feature = "testing")]
            drop(busy);
            drop(alive);
        });
        match &self.inner.time {
            #[cfg(feature = "testing")]
            Time::Manual(manual) if manual.is_on_one_thread() => {
                self.inner.spawner.spawn(Box::pin(async move { work() }))
            }
            _ => self.inner.spawner.spawn_blocking(work),
        }
        Blocking { receiver }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Runtime").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// Without the digits below a microsecond.
fn whole_micros(at: Timestamp) -> Timestamp {
    // What a timestamp gives is in the range of timestamps.
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// Lets the calling thread wait; for blocking work only.
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Waits on a condition variable, at most so long; whether it was not that long.
pub(crate) fn wait_at_most<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    most: Duration,
) -> (MutexGuard<'a, T>, bool) {
    let (guard, waited) = condition.wait_timeout(guard, most).unwrap_or_else(PoisonError::into_inner);
    (guard, !waited.timed_out())
}

/// Does `work` while `aside` runs on a thread of its own; both have ended when this returns. Where no thread can be had `aside` is dropped.
pub(crate) fn beside<R>(aside: impl FnOnce() + Send, work: impl FnOnce() -> R) -> R {
    std::thread::scope(|scope| {
        let started = std::thread::Builder::new().name("larder-aside".to_owned()).spawn_scoped(scope, aside);
        drop(started);
        work()
    })
}

/// Runs work on a thread of its own, which nobody waits for. Where no thread can be had it is dropped.
pub(crate) fn on_a_thread(work: impl FnOnce() + Send + 'static) {
    let started = std::thread::Builder::new().name("larder-aside".to_owned()).spawn(work);
    drop(started);
}

/// The result of work on the blocking pool.
pub(crate) struct Blocking<R> {
    receiver: oneshot::Receiver<Result<R, Panicked>>,
}

impl<R> Future for Blocking<R> {
    type Output = Result<R, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver)
            .poll(context)
            .map(|received| received.unwrap_or_else(|_| Err(Panicked::shut_down())))
    }
}

/// Work panicked, or its runtime was shut down before it ran.
#[derive(Clone, Debug)]
pub(crate) struct Panicked {
    message: String,
}

impl Panicked {
    /// From what `catch_unwind` gives.
    pub(crate) fn new(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let message = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Self { message: message.unwrap_or_else(|| "a panic without a text".into()) }
    }

    fn shut_down() -> Self {
        Self { message: "the async runtime was shut down before the work ran".into() }
    }

    /// The panic's message.
    pub(crate) fn into_message(self) -> String {
        self.message
    }
}
