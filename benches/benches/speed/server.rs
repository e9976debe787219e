//! What the sync server takes, and how long clients wait for it. Clients, server and disk are one machine.

mod app;
mod lab;
mod pushes;
mod waits;

pub(crate) use pushes::rows as pushes;

use crate::report::Row;

/// Stores of a server that is busy.
const STORES: usize = 1_000;

/// How long clients wait: for each other, for a thousand others, for many stores, for all that there is.
pub(crate) fn waits() -> Vec<Row> {
    vec![
        waits::to_another_client(),
        waits::to_a_thousand_sockets(),
        waits::ten_thousand_stores(),
        waits::a_new_client(),
    ]
}
