//! The entry machine against a model that keeps every observer by name.

use std::time::Duration;

use super::*;

const INHERITED: GcTime = GcTime::seconds(60);

fn seconds(seconds: u64) -> Tick {
    Tick::ZERO.after(Duration::from_secs(seconds))
}

fn active(gc_time: Option<GcTime>) -> Entry {
    let mut entry = Entry::new(gc_time);
    entry.started();
    assert_eq!(entry.loaded(), Some(1));
    entry
}

#[test]
fn the_clock_runs_for_the_longest_gc_time_of_the_period() {
    let mut entry = active(Some(GcTime::seconds(30)));
    entry.join(Some(GcTime::seconds(120)));
    entry.join(Some(GcTime::seconds(5)));
    assert_eq!(entry.unobserved(seconds(10), INHERITED), Released::Clock(seconds(130)));
}

#[test]
fn an_observer_without_a_gc_time_counts_with_the_inherited_one() {
    let mut entry = active(Some(GcTime::seconds(30)));
    entry.join(None);
    assert_eq!(entry.unobserved(seconds(0), INHERITED), Released::Clock(seconds(60)));
    let mut alone = active(Some(GcTime::seconds(30)));
    assert_eq!(alone.unobserved(seconds(0), INHERITED), Released::Clock(seconds(30)));
}

#[test]
fn a_restarted_clock_never_ends_earlier() {
    let mut entry = active(Some(GcTime::seconds(100)));
    assert_eq!(entry.unobserved(seconds(0), INHERITED), Released::Clock(seconds(100)));
    assert_eq!(entry.join(Some(GcTime::seconds(1))), Joined::Observes);
    assert_eq!(entry.unobserved(seconds(20), INHERITED), Released::Clock(seconds(100)));
    assert!(!entry.tick(seconds(99)));
    assert!(entry.tick(seconds(100)));
}

#[test]
fn zero_and_never_work() {
    let mut entry = active(Some(GcTime::ZERO));
    assert_eq!(entry.unobserved(seconds(3), INHERITED), Released::Close);
    let mut entry = active(Some(GcTime::NEVER));
    assert_eq!(entry.unobserved(seconds(3), INHERITED), Released::Clock(Tick::NEVER));
    let mut entry = active(Some(GcTime::from(Duration::MAX)));
    assert_eq!(entry.unobserved(seconds(3), INHERITED), Released::Clock(Tick::NEVER));
}

#[test]
fn who_comes_while_closing_waits_and_loads_again() {
    let mut entry = active(None);
    assert_eq!(entry.evict(), Evicted::Close);
    assert_eq!(entry.evict(), Evicted::Nothing);
    assert_eq!(entry.join(None), Joined::Waits);
    assert_eq!(entry.ended(), Ended::LoadAgain);
    entry.started();
    assert_eq!(entry.loaded(), Some(1));
}

#[test]
fn a_load_is_cancelled_by_its_last_waiter_only() {
    let mut entry = Entry::new(None);
    entry.started();
    entry.join(None);
    assert_eq!(entry.leave(), Left::Nothing);
    assert_eq!(entry.leave(), Left::CancelLoad);
    assert_eq!(entry.loaded(), None);
    assert_eq!(entry.ended(), Ended::Forget);
}

/// What the entry must be, computed from every observer that ever was.
#[derive(Default)]
struct Model {
    loaded: bool,
    loading: bool,
    closing: bool,
    present: Vec<Option<GcTime>>,
    period: Vec<Option<GcTime>>,
    deadline: Option<Tick>,
    floor: Tick,
}

impl Model {
    fn end(&mut self) {
        *self = Self::default();
    }

    fn release(&mut self, now: Tick) {
        let own = self.period.iter().map(|own| own.unwrap_or(INHERITED)).max().unwrap_or(INHERITED);
        let ends = own.duration().map_or(Tick::NEVER, |duration| now.after(duration)).max(self.floor);
        self.period.clear();
        self.floor = ends;
        self.deadline = Some(ends);
    }
}

/// xorshift: a failing seed is printed and gives the same run again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn gc_time(&mut self) -> Option<GcTime> {
        match self.below(6) {
            0 | 1 => None,
            2 => Some(GcTime::ZERO),
            3 => Some(GcTime::NEVER),
            _ => Some(GcTime::seconds(self.below(200))),
        }
    }
}

#[test]
fn random_histories_agree_with_the_model() {
    let base = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = base.map_or(1..=20_000_u64, |seed| seed..=seed);
    for seed in seeds {
        let run = std::panic::catch_unwind(|| history(seed));
        assert!(run.is_ok(), "run again with LARDER_SEED={seed}");
    }
}

fn history(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut now = Tick::ZERO;
    let mut entry: Option<Entry> = None;
    let mut model = Model::default();
    for _ in 0..60 {
        now = now.after(Duration::from_secs(random.below(40)));
        step(&mut random, now, &mut entry, &mut model);
        check(entry.as_ref(), &model);
    }
}

fn step(random: &mut Random, now: Tick, slot: &mut Option<Entry>, model: &mut Model) {
    let Some(entry) = slot else {
        let gc_time = random.gc_time();
        *slot = Some(Entry::new(gc_time));
        model.present.push(gc_time);
        model.period.push(gc_time);
        return;
    };
    match random.below(8) {
        0 | 1 => {
            let gc_time = random.gc_time();
            let joined = entry.join(gc_time);
            assert_eq!(joined == Joined::Observes, model.loaded);
            model.deadline = None;
            model.present.push(gc_time);
            model.period.push(gc_time);
        }
        2 | 3 if !model.present.is_empty() => leave(random, now, slot, model),
        4 if !model.loading && !model.loaded && !model.closing => {
            entry.started();
            model.loading = true;
        }
        5 if model.loading => {
            assert_eq!(entry.loaded(), Some(model.present.len()));
            (model.loading, model.loaded) = (false, true);
        }
        6 if model.closing => {
            let again = entry.ended() == Ended::LoadAgain;
            assert_eq!(again, !model.present.is_empty());
            model.closing = false;
            if !again {
                *slot = None;
            }
        }
        7 if model.loaded && model.deadline.is_some() => {
            let due = model.deadline.is_some_and(|deadline| deadline <= now);
            assert_eq!(entry.tick(now), due);
            if due {
                *model = Model { closing: true, ..Model::default() };
            }
        }
        _ if random.below(10) == 0 => {
            let evicted = entry.evict();
            assert_eq!(evicted == Evicted::Nothing, model.closing);
            assert_eq!(evicted == Evicted::Close, model.loaded);
            assert_eq!(evicted == Evicted::CancelLoad, model.loading);
            if evicted == Evicted::Forget {
                *slot = None;
                model.end();
            } else {
                *model = Model { closing: true, ..Model::default() };
            }
        }
        _ => {}
    }
}

fn leave(random: &mut Random, now: Tick, slot: &mut Option<Entry>, model: &mut Model) {
    let Some(entry) = slot else { return };
    let who = random.below(model.present.len() as u64) as usize;
    model.present.remove(who);
    let last = model.present.is_empty();
    if model.loaded {
        if last {
            model.release(now);
            let expected = model.deadline.unwrap_or_default();
            match entry.unobserved(now, INHERITED) {
                Released::Clock(deadline) => assert!(deadline == expected && deadline > now),
                Released::Close => {
                    assert!(expected <= now);
                    *model = Model { closing: true, ..Model::default() };
                }
            }
        }
        return;
    }
    match entry.leave() {
        Left::Nothing => assert!(!last || model.closing),
        Left::CancelLoad => {
            assert!(last && model.loading);
            *model = Model { closing: true, ..Model::default() };
        }
        Left::Forget => {
            assert!(last && !model.loading && !model.closing);
            *slot = None;
            model.end();
        }
    }
    if last && model.closing {
        model.period.clear();
    }
}

fn check(entry: Option<&Entry>, model: &Model) {
    let Some(entry) = entry else {
        assert!(model.present.is_empty());
        return;
    };
    let waiters = if model.loaded { 0 } else { model.present.len() };
    assert_eq!(entry.waiters(), waiters);
    match entry.phase() {
        Phase::Queued => assert!(!model.loading && !model.loaded && !model.closing),
        Phase::Loading => assert!(model.loading),
        Phase::Active => assert!(model.loaded && !model.present.is_empty()),
        Phase::Inactive { deadline, .. } => assert!(model.loaded && model.deadline == Some(deadline)),
        Phase::Closing => assert!(model.closing),
    }
}
