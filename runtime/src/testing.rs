//! Tools for tests of stores: a clock that stands still, a registry on it, given/when/then, a log of what happened.

mod clock;
mod given;
mod log;
mod registry;

pub use clock::ManualClock;
pub use given::{Given, When, given};
pub use log::EventLog;
pub use registry::TestRegistry;

pub use crate::telemetry::Happened;
