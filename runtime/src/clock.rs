//! Time, timers and spawning: the one place that touches them.
