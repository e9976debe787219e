//! How much a second: a server refuses what is beyond, a client waits.

use std::time::Duration;

/// A bucket that fills evenly and holds one second's worth, or more where one thing may be larger than that. It reads no clock: a time is what has
/// passed since any moment, the same one each time.
#[derive(Clone, Debug)]
pub struct Bucket {
    per_second: u64,
    holds: u64,
    /// In billionths, so that no time between two takes is lost.
    filled: u128,
    at: Duration,
}

const BILLION: u128 = 1_000_000_000;

impl Bucket {
    /// A full one, which holds what comes in a second.
    #[must_use]
    pub fn new(per_second: u64) -> Self {
        Self::holding(per_second, per_second)
    }

    /// A full one that holds more or less than what comes in a second.
    #[must_use]
    pub fn holding(holds: u64, per_second: u64) -> Self {
        Self { per_second, holds, filled: u128::from(holds) * BILLION, at: Duration::ZERO }
    }

    /// Takes out an amount if it is there.
    pub fn take(&mut self, amount: u64, now: Duration) -> bool {
        self.fill(now);
        let wanted = u128::from(amount) * BILLION;
        let there = wanted <= self.filled;
        if there {
            self.filled -= wanted;
        }
        there
    }

    /// How long it is until an amount is there, if nothing else is taken; [`Duration::MAX`] for more than it holds.
    pub fn wait(&mut self, amount: u64, now: Duration) -> Duration {
        self.fill(now);
        let missing = (u128::from(amount) * BILLION).saturating_sub(self.filled);
        match (missing, self.per_second) {
            (0, _) => Duration::ZERO,
            _ if amount > self.holds => Duration::MAX,
            (_, 0) => Duration::MAX,
            (_, per_second) => {
                Duration::from_nanos(u64::try_from(missing.div_ceil(u128::from(per_second))).unwrap_or(u64::MAX))
            }
        }
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        let full = u128::from(self.holds) * BILLION;
        self.filled =
            full.min(self.filled.saturating_add(passed.as_nanos().saturating_mul(u128::from(self.per_second))));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Bucket;

    #[test]
    fn a_bucket_gives_what_it_holds_and_then_so_much_a_second() {
        let mut bucket = Bucket::new(10);
        let second = |at: f64| Duration::from_secs_f64(at);
        assert!((0..10).all(|_| bucket.take(1, second(0.0))) && !bucket.take(1, second(0.0)));
        assert!(!bucket.take(1, second(0.09)) && bucket.take(1, second(0.1)));
        assert!(
            (0..10).all(|_| bucket.take(1, second(99.0))) && !bucket.take(1, second(99.0)),
            "it holds no more than that"
        );
        assert!(!bucket.take(1, second(1.0)), "a clock that goes back gives nothing");
    }

    #[test]
    fn one_large_message_is_taken_however_little_a_second_is_allowed_and_the_next_waits_its_time() {
        let mut bucket = Bucket::holding(2_000, 10);
        assert!(bucket.take(2_000, Duration::ZERO));
        assert!(!bucket.take(11, Duration::from_secs(1)) && bucket.take(10, Duration::from_secs(1)));
    }

    #[test]
    fn who_waits_as_long_as_a_bucket_says_finds_it_there_and_no_sooner() {
        for (holds, per_second, amount) in
            [(10, 10, 3), (7, 3, 7), (1, 1_000_000_000, 1), (5_000_000, 4_718_592, 900_001)]
        {
            let mut bucket = Bucket::holding(holds, per_second);
            let mut now = Duration::ZERO;
            while bucket.take(amount, now) {}
            let wait = bucket.wait(amount, now);
            assert!(!bucket.take(amount, now + wait - Duration::from_nanos(1)), "{holds} {per_second} {amount}");
            now += wait;
            assert_eq!(bucket.wait(amount, now), Duration::ZERO);
            assert!(bucket.take(amount, now), "{holds} {per_second} {amount}");
        }
        assert_eq!(Bucket::new(3).wait(4, Duration::ZERO), Duration::MAX, "more than it ever holds");
        assert_eq!(Bucket::holding(0, 0).wait(0, Duration::ZERO), Duration::ZERO);
    }
}
