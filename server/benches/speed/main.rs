//! What the server takes and how long clients wait for it, as one table: `cargo bench -p larder-server --bench speed -- --seconds 5`.
//!
//! Clients, server and disk are one machine. The command fails where a bar is not met, which says something on a quiet machine alone.

mod app;
mod lab;
mod pushes;
mod table;
mod waits;

use std::{process::ExitCode, time::Duration};

/// Stores of a server that is busy.
const STORES: usize = 1_000;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    let seconds = arguments.iter().position(|argument| argument == "--seconds");
    let seconds = seconds.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(5.0);
    let only = arguments.iter().position(|argument| argument == "--only");
    let only = only.and_then(|at| arguments.get(at + 1)).map(String::as_str);
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    table::begin();
    let mut met = true;
    if wanted("pushes") {
        met &= table::print(&pushes::rows(Duration::from_secs_f64(seconds)));
    }
    if wanted("latency") {
        met &= table::print(&[waits::to_another_client()]);
    }
    if wanted("sockets") {
        met &= table::print(&[waits::to_a_thousand_sockets()]);
    }
    if wanted("stores") {
        met &= table::print(&[waits::ten_thousand_stores()]);
    }
    if wanted("new-client") {
        met &= table::print(&[waits::a_new_client()]);
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
