//! Sync: clients of one backend agree on one log, whatever each has committed meanwhile.

mod backends;
mod batches;
pub(crate) mod clients;
mod conformance;
mod convergence;
mod failing;
mod flaky;
mod flapping;
mod metadata;
mod network;
mod other_log;
mod payload;
mod processor;
mod rebase;
mod releases;
#[cfg(target_os = "linux")]
mod simulation;
mod streams;
