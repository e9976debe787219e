//! What most files of an app need: `use larder::prelude::*;`.

// The derive alone: the trait `Row` would make `Status::decode` of a `ColumnValue` ambiguous.
pub use crate::macros::Row;
pub use crate::{
    Adapter, Column, ColumnValue, CommitError, Document, Event, EventContext, GcTime, Get, HasTable, Json, LoadContext,
    LoadError, MaterializeError, MaterializeResult, Materializer, Predicate, QueryError, Select, SourceId,
    SqliteAdapter, Store, StoreDefinition, StoreHandle, StoreId, StoreKey, StoreRegistry, StoreSchema, Table, Tables,
    Timestamp, Uuid, count, define_projection, define_store,
};
