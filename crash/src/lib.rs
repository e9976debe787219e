//! The crash machine: larder stopped after any call that changes a file, and what it left opened again.
//!
//! A workload runs once, on a real registry and real files. Every call of the C library about its folder comes through
//! [`system`](self), which records it: writes, cuts, syncs, new names, and in between which commits were acknowledged. Then each
//! position of the recording is a stop. A killed process leaves all that it wrote; a loss of power leaves what was synced, and of the rest
//! what a seed says: names up to some point, bytes dropped, out of order, or torn at 512 bytes. The image is written into a folder
//! in memory, larder opens it, and must find: every acknowledged commit that its durability promises, nothing but a
//! beginning of what was committed, no half commit, tables that are the fold of the log, and a file that SQLite's own check calls `ok`. It
//! must take the next commit, and close.
//!
//! ```text
//! cargo test -p larder-crash                                     what every run of the tests does
//! cargo run --release -p larder-crash -- --stops 5000000         the long count
//! cargo run --release -p larder-crash -- --only import --seed 7  one workload, another seed
//! cargo run --release -p larder-crash -- --faults 1              a fault at every call, once and for ever
//! ```
//!
//! **Faults** use the same scripts: a call about the watched folder gets the operating system's own error (disk full, an error of reading, writing
//! or syncing, no descriptors, a read-only file system or folder), once or from then on. The step must fail with an error that says that
//! storage failed, never that a store is damaged (but for errors of reading, which SQLite itself calls damage); loaded stores are read; without the fault the same step works, after a failed sync
//! when the store is opened again; and at the end everything is checked as after a stop.
//!
//! **It proves itself** in `tests/it/proof.rs`: without syncs, with an acknowledgement before the commit, and with two transactions for
//! one it finds the loss. What was recorded must make the files that are really there, byte for byte, so no call is missed.
//!
//! Where two stops of a recording leave the same bytes and promise the same, one of them is opened; both figures are printed. The
//! machine needs Linux; elsewhere the crate is empty.

#![cfg(target_os = "linux")]

pub mod check;
pub mod command;
pub mod disk;
pub mod fault;
pub mod faults;
pub mod hunt;
mod import;
mod lab;
pub mod ledger;
mod outage;
mod player;
pub mod power;
pub mod script;
pub mod server;
pub mod settings;
mod shelf;
mod synced;
mod system;
pub mod trace;
mod trial;
pub mod watch;
pub mod workloads;
