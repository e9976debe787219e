//! The entry machine: its rules one by one, then random sequences against a model.

use std::time::Duration;

use super::*;

mod machine;
mod model;
mod sequences;

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
