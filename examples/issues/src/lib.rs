//! An issue tracker of many workspaces on `larder`: one store per workspace, one per issue, all through one registry.
//!
//! The program is in `main.rs`; the rest is a library so that the benchmark runs the same import.

pub mod catch_up;
pub mod cli;
pub mod commands;
pub mod failure;
pub mod helpers;
pub mod import;
pub mod input;
pub mod output;
pub mod stores;
