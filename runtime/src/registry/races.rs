//! Races: the real registry, with real stores in memory, under a scheduler that tries many orders of the same threads.
//!
//! A lost wake-up shows as a deadlock, which the scheduler reports with the schedule that led there. `.ci/races` builds and runs this.

mod bench;
mod commits;
mod pairs;
mod places;
