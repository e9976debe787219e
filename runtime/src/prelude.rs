//! What most files of an app need: `use larder::prelude::*;`.

pub use crate::macros::Row;
pub use crate::{
    Adapter, Column, ColumnValue, Event, EventContext, GcTime, HasTable, Json, LoadContext, MaterializeResult,
    Materializer, SqliteAdapter, Store, StoreHandle, StoreId, StoreKey, StoreRegistry, StoreSchema, Table, Tables,
    Timestamp, Uuid, define_store,
};
