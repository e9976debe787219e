//! Tools for tests of stores: a clock that stands still, a registry on it, given/when/then, a log of what happened.

mod clock;

pub use clock::ManualClock;
