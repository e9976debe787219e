//! Time that moves when a test says so, and the knowledge whether anything still runs.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use super::Tick;
use crate::{
    definition::BoxFuture,
    primitives::{Mutex, MutexGuard},
};

/// A clock that stands still until [`advance`](Self::advance).
#[derive(Default)]
pub(crate) struct Manual {
    state: Mutex<State>,
    on_one_thread: bool,
}

#[derive(Default)]
struct State {
    now: Tick,
    next_sleeper: u64,
    jitters: u64,
    sleepers: BTreeMap<(Tick, u64), Waker>,
    /// Tasks that are polled or woken, and blocking work that is not done.
    busy: usize,
    settling: Vec<Waker>,
}

impl Manual {
    /// Blocking work runs among the tasks.
    pub(crate) fn on_one_thread() -> Self {
        Self { on_one_thread: true, ..Self::default() }
    }

    pub(super) fn is_on_one_thread(&self) -> bool {
        self.on_one_thread
    }

    /// The next of always the same bytes.
    pub(super) fn jitter(&self) -> u8 {
        let mut state = self.lock();
        state.jitters = state.jitters.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state.jitters ^ state.jitters >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (mixed >> 56) as u8
    }

    pub(crate) fn now(&self) -> Tick {
        self.lock().now
    }

    pub(super) fn sleep_until(self: &Arc<Self>, deadline: Tick) -> impl Future<Output = ()> + Send + use<> {
        Sleep { clock: Arc::clone(self), deadline, key: None }
    }

    /// Counts as something that runs until it is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.lock().busy += 1;
        Busy { clock: Arc::clone(self) }
    }

    /// The same task, which counts as running while it is polled or woken.
    pub(super) fn track(self: &Arc<Self>, task: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
        let woken = Mutex::new(Woken { waker: None, busy: Some(self.busy()), done: false });
        Box::pin(Tracked { task, flag: Arc::new(Flag { clock: Arc::clone(self), woken }) })
    }

    /// Waits until no task can go on and no blocking work is left.
    pub(crate) async fn settle(&self) {
        std::future::poll_fn(|context| {
            let waker = context.waker().clone();
            let mut state = self.lock();
            if state.busy == 0 {
                return Poll::Ready(());
            }
            state.settling.push(waker);
            Poll::Pending
        })
        .await;
    }

    /// Moves time on, timer by timer; all that a timer starts is done before the next one.
    pub(crate) async fn advance(&self, duration: Duration) {
        let target = self.now().after(duration);
        loop {
            self.settle().await;
            if !self.step(target) {
                break;
            }
        }
        self.lock().now = target;
        self.settle().await;
    }

    /// Moves time on and fires the timers that are due, while everything else goes on.
    #[cfg(all(test, larder_shuttle))]
    pub(crate) fn jump(&self, duration: Duration) {
        let target = self.now().after(duration);
        while self.step(target) {}
        let mut state = self.lock();
        state.now = state.now.max(target);
    }

    /// Fires the earliest timers that are due by `target`; whether there were any.
    fn step(&self, target: Tick) -> bool {
        let mut state = self.lock();
        let Some(next) = state.sleepers.keys().next().map(|(at, _)| *at).filter(|at| *at <= target) else {
            return false;
        };
        state.now = state.now.max(next);
        let later = state.sleepers.split_off(&(next.after(Duration::from_nanos(1)), 0));
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Busy {
    clock: Arc<Manual>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.clock.lock();
        state.busy -= 1;
        let settled = if state.busy == 0 { std::mem::take(&mut state.settling) } else { Vec::new() };
        drop(state);
        settled.into_iter().for_each(Waker::wake);
    }
}

struct Sleep {
    clock: Arc<Manual>,
    deadline: Tick,
    key: Option<(Tick, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let clock = Arc::clone(&self.clock);
        let mut state = clock.lock();
        let deadline = self.deadline;
        if state.now >= deadline {
            return Poll::Ready(());
        }
        let key = *self.key.get_or_insert_with(|| {
            state.next_sleeper += 1;
            (deadline, state.next_sleeper)
        });
        state.sleepers.insert(key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.clock.lock().sleepers.remove(&key);
        }
    }
}

struct Tracked {
    task: BoxFuture<'static, ()>,
    flag: Arc<Flag>,
}

struct Flag {
    clock: Arc<Manual>,
    woken: Mutex<Woken>,
}

struct Woken {
    waker: Option<Waker>,
    /// Held from a wake-up to the end of the poll that answers it.
    busy: Option<Busy>,
    done: bool,
}

impl Flag {
    fn lock(&self) -> MutexGuard<'_, Woken> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        let mut woken = self.lock();
        if woken.done {
            return;
        }
        if woken.busy.is_none() {
            woken.busy = Some(self.clock.busy());
        }
        let waker = woken.waker.clone();
        drop(woken);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Future for Tracked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let busy = {
            let mut woken = self.flag.lock();
            woken.waker = Some(context.waker().clone());
            woken.busy.take()
        };
        let busy = busy.unwrap_or_else(|| self.flag.clock.busy());
        let waker = Waker::from(Arc::clone(&self.flag));
        let polled = self.task.as_mut().poll(&mut Context::from_waker(&waker));
        drop(busy);
        polled
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let busy = {
            let mut woken = self.flag.lock();
            woken.done = true;
            woken.waker = None;
            woken.busy.take()
        };
        drop(busy);
    }
}
