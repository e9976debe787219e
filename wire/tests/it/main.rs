//! The wire: what was recorded between real clients and a real server, what one writes and reads again, and what nobody should send.

mod batch;
mod depth;
mod hostile;
mod recorded;
mod refusals;
mod round_trips;
mod store_ids;
mod strategies;
mod urls;
