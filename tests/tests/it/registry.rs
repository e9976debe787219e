//! The registry: one test per rule, per known defect of the proposal's draft, and per promise on options, ids and the data dir.

pub(crate) mod support;

mod both;
mod catalog;
mod draft;
mod ending;
mod existing;
pub(crate) mod fake;
mod hanging;
mod identity;
mod leaving;
mod loading;
mod options;
mod places;
mod rules_keep;
mod rules_load;
mod rules_streams;
mod runtime_gone;
mod sending;
mod stress;
mod telemetry;
mod threads;
mod time;
mod unknown_events;
mod unsent;
mod unwanted;
mod user_code;
mod watching;
