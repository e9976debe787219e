//! Measuring two ways of one work in turns, so that a busy machine hits both alike.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What every measurement may answer.
pub(crate) type Outcome<R> = Result<R, Box<dyn std::error::Error>>;

/// Time on the wall, and processor time of all threads of the process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Took {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    /// How often the work was done.
    pub(crate) times: u32,
}

impl Took {
    /// Runs work that does something so many times.
    pub(crate) fn of(times: u32, work: impl FnOnce() -> Outcome<()>) -> Outcome<Self> {
        let watch = Watch::start();
        work()?;
        Ok(watch.stop(times))
    }

    /// Nanoseconds on the wall for each time.
    pub(crate) fn nanos(&self) -> f64 {
        self.wall.as_nanos() as f64 / f64::from(self.times.max(1))
    }

    /// Both together.
    pub(crate) fn add(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
        self.times += other.times;
    }
}

/// A running measurement.
pub(crate) struct Watch {
    wall: Duration,
    cpu: Duration,
}

impl Watch {
    /// Begins.
    pub(crate) fn start() -> Self {
        Self { wall: now(ClockId::Monotonic), cpu: now(ClockId::ProcessCPUTime) }
    }

    /// Ends, after the work was done so many times.
    pub(crate) fn stop(self, times: u32) -> Took {
        let (cpu, wall) = (now(ClockId::ProcessCPUTime), now(ClockId::Monotonic));
        Took { wall: wall.saturating_sub(self.wall), cpu: cpu.saturating_sub(self.cpu), times }
    }
}

fn now(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// How often both are measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Rounds: each gives one ratio, and their median counts.
    pub(crate) rounds: u32,
    /// Turns of each side within a round.
    pub(crate) turns: u32,
}

impl Plan {
    pub(crate) const fn new(rounds: u32, turns: u32) -> Self {
        Self { rounds, turns }
    }
}

/// Two ways of one work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    /// Median nanoseconds for each time.
    pub(crate) larder: f64,
    pub(crate) baseline: f64,
    /// Median of the rounds' ratios on the wall.
    pub(crate) ratio: f64,
    /// A quarter of the rounds was below, a quarter above.
    pub(crate) quartiles: (f64, f64),
    /// Median of the rounds' ratios of processor time.
    pub(crate) cpu_ratio: f64,
}

/// Measures both in turns: A B, B A, A B, ... What a side does before its watch starts is not measured.
pub(crate) fn compare<C>(
    plan: Plan,
    context: &mut C,
    larder: impl Fn(&mut C) -> Outcome<Took>,
    baseline: impl Fn(&mut C) -> Outcome<Took>,
) -> Outcome<Compared> {
    // One turn that does not count: caches fill, files grow.
    larder(context)?;
    baseline(context)?;
    let (mut ours, mut theirs, mut ratios, mut cpu_ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        let (mut left, mut right) = (Took::default(), Took::default());
        for turn in 0..plan.turns {
            if (round + turn) % 2 == 0 {
                left.add(larder(context)?);
                right.add(baseline(context)?);
            } else {
                right.add(baseline(context)?);
                left.add(larder(context)?);
            }
        }
        ours.push(left.nanos());
        theirs.push(right.nanos());
        ratios.push(left.nanos() / right.nanos());
        cpu_ratios.push(per_time(left) / per_time(right));
    }
    let quartiles = (part(&mut ratios, 0.25), part(&mut ratios, 0.75));
    Ok(Compared {
        larder: median(&mut ours),
        baseline: median(&mut theirs),
        ratio: median(&mut ratios),
        quartiles,
        cpu_ratio: median(&mut cpu_ratios),
    })
}

fn per_time(took: Took) -> f64 {
    took.cpu.as_nanos() as f64 / f64::from(took.times.max(1))
}

/// The middle one.
pub(crate) fn median(numbers: &mut [f64]) -> f64 {
    part(numbers, 0.5)
}

fn part(numbers: &mut [f64], part: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let last = numbers.len().saturating_sub(1);
    numbers.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}
