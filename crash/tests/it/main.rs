//! The crash machine at the counts of every run of the tests.

#![cfg(target_os = "linux")]

mod faults;
mod proof;
mod server_log;
mod stops;
