//! Locks, condition variables and atomics as `std` has them; under `cfg(larder_shuttle)` those of a scheduler that tries many orders of
//! the same threads.
//!
//! The registry and the store take theirs from here, so that the tests of races see every step that another thread can come between.

#[cfg(not(all(test, larder_shuttle)))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread_local,
};

#[cfg(all(test, larder_shuttle))]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread_local,
};
