//! Options of stores: three layers (registry defaults, definition, call), later ones win.

mod cascade;
mod gc_time;
mod payload;

pub(crate) use cascade::ResolvedOptions;
pub use cascade::{Durability, InitialSync, Limits, StoreOptions, UnknownEvents};
pub use gc_time::GcTime;
pub use payload::{Attributes, Payload};
