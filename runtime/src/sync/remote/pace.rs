//! How fast a server is asked: within what it takes of one connection, so that it refuses nothing.
//!
//! A server holds a second's worth, and gets as much each second. Here half of that may go at once, and then nine tenths each second; and no more
//! than half may be on its way without an answer. So whatever is held up on the way, and comes at once in the end, is within what the server holds.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use larder_wire::{Bucket, Limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::asking::shut_down;
use crate::{
    clock::{Runtime, Tick},
    sync::BackendError,
};

/// Most pushes without an answer, and most bytes of them, whatever a server takes a second: it lets 64 wait, and four full ones.
const UNANSWERED: u32 = 32;
const UNANSWERED_BYTES: u64 = 4 * Limits::BATCH_BYTES as u64;

/// Most bytes of pushes that have not arrived: one full push. Over a slow network all that is asked, by whatever store, is behind them.
const ON_THEIR_WAY: u64 = Limits::BATCH_BYTES as u64;

/// What a server takes of one connection each second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) pushes: u32,
    pub(super) bytes: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { pushes: Limits::PUSHES_PER_SECOND, bytes: Limits::BYTES_PER_SECOND }
    }
}

impl Allowance {
    /// Half of what a server holds for pushes.
    fn half_pushes(self) -> u32 {
        (self.pushes / 2).max(1)
    }

    /// Half of what it holds of bytes: a second's worth, but a whole message in any case.
    fn half_bytes(self) -> u64 {
        self.bytes.max(Limits::MESSAGE_BYTES as u64) / 2
    }
}

/// When the next request may go: pure.
#[derive(Debug)]
struct Pace {
    pushes: Bucket,
    bytes: Bucket,
    holds: u64,
}

impl Pace {
    fn new(allowance: Allowance) -> Self {
        let a_little_less = |per_second: u64| (per_second - per_second / 10).max(1);
        let holds = allowance.half_bytes();
        Self {
            pushes: Bucket::holding(allowance.half_pushes().into(), a_little_less(allowance.pushes.into())),
            bytes: Bucket::holding(holds, a_little_less(allowance.bytes)),
            holds,
        }
    }

    /// Lets a request go, or says how long it has to wait.
    fn go(&mut self, pushes: u64, bytes: usize, now: Duration) -> Result<(), Duration> {
        // One that is larger than that waits until there is as much as there ever is.
        let bytes = (bytes as u64).min(self.holds);
        let wait = self.pushes.wait(pushes, now).max(self.bytes.wait(bytes, now));
        if !wait.is_zero() {
            return Err(wait);
        }
        let _both_are_there = self.pushes.take(pushes, now) && self.bytes.take(bytes, now);
        Ok(())
    }
}

/// Lets requests to a server through, each when it is time.
pub(super) struct Gate {
    clock: Runtime,
    opened: Tick,
    pace: Mutex<Pace>,
    /// Who is next waits for the time; who comes later waits for this, in order. A pull is in no push's line: it is small.
    next_push: tokio::sync::Mutex<()>,
    next_pull: tokio::sync::Mutex<()>,
    unanswered: Arc<Semaphore>,
    unanswered_bytes: Arc<Semaphore>,
    on_their_way: Arc<Semaphore>,
    /// Of both.
    most_bytes: [u32; 2],
}

/// That a push has no answer. It ends with that.
pub(super) struct Turn {
    _unanswered: [OwnedSemaphorePermit; 2],
    _on_its_way: Option<OwnedSemaphorePermit>,
}

impl Turn {
    /// The server has the push.
    #[cfg(feature = "ws")]
    pub(super) fn arrived(&mut self) {
        self._on_its_way = None;
    }
}

impl Gate {
    pub(super) fn new(allowance: Allowance, clock: Runtime) -> Self {
        let most_bytes = [UNANSWERED_BYTES, ON_THEIR_WAY]
            .map(|most| u32::try_from(allowance.half_bytes().min(most)).unwrap_or(u32::MAX));
        let unanswered = allowance.half_pushes().min(UNANSWERED);
        Self {
            opened: clock.now(),
            clock,
            pace: Mutex::new(Pace::new(allowance)),
            next_push: tokio::sync::Mutex::default(),
            next_pull: tokio::sync::Mutex::default(),
            unanswered: Arc::new(Semaphore::new(unanswered as usize)),
            unanswered_bytes: Arc::new(Semaphore::new(most_bytes[0] as usize)),
            on_their_way: Arc::new(Semaphore::new(most_bytes[1] as usize)),
            most_bytes,
        }
    }

    /// Waits until a push may go. It is written when it is the next one: those that wait take no memory for their texts.
    ///
    /// # Errors
    /// That of writing it.
    pub(super) async fn push(
        &self,
        write: impl FnOnce() -> Result<String, BackendError>,
    ) -> Result<(String, Turn), BackendError> {
        let _next = self.next_push.lock().await;
        let text = write()?;
        let [all, on_its_way] = self.most_bytes.map(|most| u32::try_from(text.len()).unwrap_or(u32::MAX).min(most));
        let some = async |of: &Arc<Semaphore>, permits| {
            Arc::clone(of).acquire_many_owned(permits).await.map_err(|_| shut_down())
        };
        let unanswered = [some(&self.unanswered, 1).await?, some(&self.unanswered_bytes, all).await?];
        let on_its_way = some(&self.on_their_way, on_its_way).await?;
        self.wait(1, text.len()).await;
        Ok((text, Turn { _unanswered: unanswered, _on_its_way: Some(on_its_way) }))
    }

    /// Waits until a request for pages of so many bytes may go.
    pub(super) async fn pull(&self, bytes: usize) {
        let _next = self.next_pull.lock().await;
        self.wait(0, bytes).await;
    }

    async fn wait(&self, pushes: u64, bytes: usize) {
        loop {
            let now = self.clock.now().since(self.opened);
            let gone = self.pace.lock().unwrap_or_else(PoisonError::into_inner).go(pushes, bytes, now);
            match gone {
                Ok(()) => return,
                Err(wait) => self.clock.sleep(wait).await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn twenty_five_pushes_go_at_once_and_then_forty_five_a_second() {
        let mut pace = Pace::new(Allowance::default());
        let mut go = |at: f64| pace.go(1, 100, Duration::from_secs_f64(at)).is_ok();
        assert_eq!((0..100).filter(|_| go(0.0)).count(), 25);
        assert_eq!((1..=1_000).filter(|step| go(f64::from(*step) / 100.0)).count(), 450);
    }

    #[test]
    fn a_message_larger_than_half_of_what_a_server_holds_waits_and_goes() {
        let mut pace = Pace::new(Allowance { pushes: 1, bytes: 1_000 });
        assert_eq!(pace.go(1, 2 * Limits::MESSAGE_BYTES, Duration::ZERO), Ok(()));
        let wait = pace.go(1, Limits::MESSAGE_BYTES, Duration::ZERO).expect_err("it is used up");
        assert_eq!(pace.go(1, Limits::MESSAGE_BYTES, wait), Ok(()));
    }

    /// A network that lets everything through for a while, then nothing.
    fn network() -> impl Strategy<Value = Vec<(u64, u64)>> {
        proptest::collection::vec((1..3_000_u64, 1..3_000_u64), 1..8)
    }

    proptest! {
        #[test]
        fn however_pushes_are_held_up_on_the_way_the_server_has_to_refuse_none(
            network in network(),
            sizes in proptest::collection::vec(1..900_000_usize, 1..20),
        ) {
            let allowance = Allowance::default();
            let mut pace = Pace::new(allowance);
            let (most, most_bytes) = (allowance.half_pushes() as usize, allowance.half_bytes() as usize);
            let (mut pushes, mut bytes) = (Bucket::new(allowance.pushes.into()), Bucket::new(allowance.bytes));
            let mut on_the_way = VecDeque::new();
            let (mut at, mut sizes) = (0, sizes.iter().cycle().copied().peekable());
            for (through, held_up) in network {
                for ms in 0..through + held_up {
                    let now = Duration::from_millis(at);
                    at += 1;
                    while let Some(size) = sizes.peek().copied() {
                        let unanswered: usize = on_the_way.iter().sum();
                        let fits = on_the_way.len() < most && unanswered + size <= most_bytes;
                        if !fits || pace.go(1, size, now).is_err() {
                            break;
                        }
                        on_the_way.push_back(size);
                        sizes.next();
                    }
                    while let Some(size) = on_the_way.pop_front().filter(|_| ms < through) {
                        prop_assert!(pushes.take(1, now), "too many pushes after {at} ms");
                        prop_assert!(bytes.take(size as u64, now), "too many bytes after {at} ms");
                    }
                }
            }
        }
    }
}
