//! Typed, local-first stores.

#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate self as larder;

mod adapter;
mod change;
mod clock;
mod definition;
pub mod doctor;
pub mod error;
mod event;
mod id;
mod macros;
mod materialize;
mod options;
pub mod prelude;
mod query;
mod registry;
mod schema;
mod storage;
mod store;
mod sync;
mod table;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod value;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use jiff::Timestamp;
pub use serde;
pub use uuid::Uuid;

pub use self::{
    adapter::{Adapter, SqliteAdapter},
    change::{ChangeRecord, RowChange},
    definition::{BoxFuture, EventOf, Singleton, SingletonDefinition, StoreDefinition},
    error::{
        BoxError, CommitError, CommitErrorKind, DeleteError, LoadError, MaterializeError, QueryError, SharedError,
        StoreError, StoreIdError, SyncError,
    },
    event::{
        ClientId, Event, EventContext, EventDecodeError, EventEncodeError, EventId, EventInfo, EventNumber,
        ParseEventNumberError, SessionId, StoredEvent,
    },
    id::{IntoStoreId, Only, StoreId, StoreKey},
    macros::{ColumnValue, Event, Row, StoreKey, StoreSchema, Table, define_store, materializer},
    materialize::{Delete, MaterializeResult, SqlParam, SqlParams, Tables, Target, Update},
    options::{Attributes, Durability, Environment, GcTime, InitialSync, Limits, Payload, StoreOptions, UnknownEvents},
    query::{
        ByKey, Count, ExactlyOne, Exists, First, Fits, FitsSchema, One, OneByKey, Predicate, Query, Row, RowRef,
        Select, SqlQuery, SqlShape,
    },
    registry::{
        Clear, DeleteStore, Evict, Get, LoadContext, OpenOptions, Preload, RegistryBuilder, RegistryStats,
        RegistryWatch, ShutdownReport, StoreEnd, StoreHandle, StoreRegistry, StoreShutdown, StoreState, StoreStats,
        StoreSync, StoredStore,
    },
    schema::{Fingerprint, HasTable, Materializer, StoreSchema},
    store::{
        Change, ChangeStream, CommitAsync, EventStream, FailedEvent, IntoEvents, LoadProgress, LogChange, Migration,
        MigrationsReport, PendingEventStream, RebuildReason, Receipt, Snapshot, Store, StoreName, TableReport,
        VerifyReport,
    },
    sync::{PushRequest, SyncBackend},
    table::{
        Column, ColumnSchema, IndexSchema, IntoKey, IntoOrder, KeyColumns, Order, ReferenceAction, ReferenceSchema,
        Table, TableSchema,
    },
    value::{ColumnType, ColumnValue, Encoded, IntoValue, Json, NotNull, Storage, Value, ValueError, ValueRef},
};
