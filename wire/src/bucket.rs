//! How much a second: a bucket that fills evenly and holds one second's worth, or more where one thing may be larger than that.

use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: u64,
    holds: u64,
    /// In billionths, so that no time between two takes is lost.
    filled: u128,
    at: Duration,
}

const BILLION: u128 = 1_000_000_000;

impl Bucket {
    pub(crate) fn new(per_second: u64) -> Self {
        Self::holding(per_second, per_second)
    }

    /// One that holds more than a second's worth.
    pub(crate) fn holding(holds: u64, per_second: u64) -> Self {
        Self { per_second, holds, filled: u128::from(holds) * BILLION, at: Duration::ZERO }
    }

    /// Takes out an amount if it is there.
    pub(crate) fn take(&mut self, amount: u64, now: Duration) -> bool {
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        let full = u128::from(self.holds) * BILLION;
        self.filled = full.min(self.filled + passed.as_nanos() * u128::from(self.per_second));
        let wanted = u128::from(amount) * BILLION;
        let there = wanted <= self.filled;
        if there {
            self.filled -= wanted;
        }
        there
    }
}
