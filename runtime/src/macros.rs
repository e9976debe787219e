//! The macros, documented where users find them.

pub use larder_macros::{ColumnValue, Event, Row, StoreKey, StoreSchema, Table, define_store, materializer};
