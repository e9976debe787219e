//! Options of stores: three layers (registry defaults, definition, call), later ones win.

mod cascade;
mod gc_time;
mod payload;
mod policy;

pub use cascade::StoreOptions;
pub(crate) use cascade::{Layers, ResolvedOptions};
pub use gc_time::{Environment, GcTime, IntoGcTime};
pub(crate) use payload::Resolved;
pub use payload::{Attributes, Payload};
pub use policy::{Durability, InitialSync, Limits, UnknownEvents};
