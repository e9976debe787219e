//! Sync: clients of one backend agree on one log, whatever each has committed meanwhile.

mod backends;
pub(crate) mod clients;
mod convergence;
mod failing;
mod processor;
mod rebase;
mod simulation;
mod streams;
