//! Typed, local-first stores.
//!
//! An app opens many independent **stores** (a workspace, each of its issues, a user's settings) through one **registry**. Every store
//! is an append-only **eventlog** plus the SQLite **tables** that its events build, in one file. The compiler checks the rest: which
//! events a store takes, which tables a query may read, which id opens which store.
//!
//! ```text
//!   your code                    larder                                        disk
//!
//!   registry.get(id) ────────▶ StoreRegistry ── loads once, shares,
//!        │                        │             keeps for its gc time ───▶ stores/workspace/…db
//!        ▼                        ▼                                            │
//!   StoreHandle ── commit ──▶ event ─▶ eventlog ─▶ materializer ─▶ tables      │ one file,
//!        │                              └──────── one transaction ────┘        │ one transaction
//!        └──────── query ───▶ typed rows, on one consistent state ◀────────────┘
//! ```
//!
//! # A first store
//!
//! ```
//! use larder::prelude::*;
//!
//! #[derive(Table, Clone, Debug, PartialEq)]
//! #[table(name = "todos")]
//! pub struct Todo {
//!     #[table(primary_key)]
//!     pub id: i64,
//!     pub text: String,
//!     pub done: bool,
//! }
//!
//! #[derive(Event, Clone, Debug, PartialEq)]
//! pub enum TodoEvent {
//!     #[event(name = "v1.TodoAdded")]
//!     Added { id: i64, text: String },
//!     #[event(name = "v1.TodoDone")]
//!     Done { id: i64 },
//! }
//!
//! #[derive(StoreSchema)]
//! #[schema(events = TodoEvent, tables(Todo), version = 1)]
//! pub struct TodoSchema;
//!
//! #[larder::materializer]
//! impl Materializer for TodoSchema {
//!     fn materialize(event: &TodoEvent, _about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
//!         match event {
//!             TodoEvent::Added { id, text } => tables.insert(Todo { id: *id, text: text.clone(), done: false }),
//!             TodoEvent::Done { id } => tables.update(Todo::by_key(*id)).set(Todo::DONE, true).run_one(),
//!         }
//!     }
//! }
//!
//! define_store! {
//!     /// The todos of one list.
//!     pub TodoStore {
//!         name: "todo",
//!         schema: TodoSchema,
//!         adapter: SqliteAdapter::persisted(),
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = StoreRegistry::builder().in_memory().build()?; // `.data_dir("…")` to keep the data
//! let todos = registry.get::<TodoStore>("list:groceries").await?;
//! todos.commit([
//!     TodoEvent::Added { id: 1, text: "milk".into() },
//!     TodoEvent::Added { id: 2, text: "flour".into() },
//!     TodoEvent::Done { id: 1 },
//! ])?;
//! let open = todos.query(Todo::filter(Todo::DONE.eq(false)))?;
//! assert_eq!(open, [Todo { id: 2, text: "flour".into(), done: false }]);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to read on
//!
//! | you want to | look at |
//! |---|---|
//! | describe tables and columns | [`derive(Table)`](derive@Table), [`ColumnValue`], [`Json`] |
//! | write a query in SQL that is checked while compiling | [`define_store!`], [`SqlQuery`] |
//! | describe events, rename them, upgrade old ones | [`derive(Event)`](derive@Event) |
//! | say how events change tables | [`Materializer`], [`Tables`] |
//! | define a kind of store and its policies | [`define_store!`], [`StoreOptions`], [`GcTime`] |
//! | name stores safely | [`StoreId`], [`derive(StoreKey)`](derive@StoreKey) |
//! | open only what exists, list what is stored | [`Get::existing`], [`StoreRegistry::exists`], [`StoreRegistry::stored`] |
//! | open, preload, evict, count and shut down stores | [`StoreRegistry`], [`StoreHandle`] |
//! | read | [`Store::query`], [`Store::read`], [`Table::filter`], [`Select`] |
//! | select columns, join, count, sum, group | [`Select::select`], [`Select::join`], [`Select::aggregate`], [`Select::group_by`] |
//! | stay up to date | [`Store::subscribe`], [`Subscription`], [`Signal`], [`Computed`] |
//! | ask many stores at once | [`StoreRegistry::across`], [`Across`] |
//! | keep a list of what is in all stores | [`define_projection!`], [`StoreRegistry::projection`] |
//! | keep what a user interface shows | [`derive(Document)`](derive@Document), [`Store::update_document`] |
//! | write | [`Store::commit`], [`Receipt`] |
//! | choose what a commit survives | [`Durability`] |
//! | say in an event when it happened | [`Store::now`] |
//! | follow what happens | [`Store::events`], [`Store::changes`] |
//! | sync with other clients | [`SyncBackend`], [`LocalBackend`], `WsBackend` (feature `ws`), `HttpBackend` (feature `http`), [`Store::sync_status`], [`Receipt::confirmed`], [`NetworkStatus`] |
//! | check, back up and rescue data | [`Store::verify`], [`Store::backup`], [`doctor`] |
//! | understand an error | [`error`] |
//! | trace what happens, with OpenTelemetry by the feature `otel` | [`Attributes`], [`Get::parent_span`] |
//! | test your own stores | the feature `testing`: its module `testing` has a manual clock, a registry on it, given/when/then |
//!
//! # What is promised
//!
//! * When [`commit`](Store::commit) returns, the events are in the eventlog and in the tables, in one transaction; a crash of the process loses
//!   nothing that was acknowledged. Against power loss ask for [`Durability::Power`].
//! * Tables are disposable: they can be rebuilt from the eventlog at any time, and are when the schema or the materializer changes.
//! * At most one live store per definition and id in a data dir; a second process gets [`LoadError::Locked`].
//! * A store that nobody observes is closed after its gc time; handles that outlive an [`evict`](StoreRegistry::evict) say so.
//! * Clients of one sync backend come to one log for each store, and to the tables that this log makes, whatever each has committed meanwhile;
//!   what no longer materializes behind the events of others is in [`Store::quarantined_events`].
//! * Damage is reported, never silently cut away. What SQLite itself does not notice in a table, [`Store::verify`] finds.
//!
//! The page `docs/promises.md` of the repository has all of it in detail: each promise with the tests that hold it, how much they try,
//! and the limits.
//!
//! # What is not there yet
//!
//! * bindings to UI frameworks
//! * wasm

#![cfg_attr(docsrs, feature(doc_cfg))]

// Generated code and doc tests name the crate from the outside.
#[allow(unused_extern_crates)]
extern crate self as larder;

mod across;
mod adapter;
mod change;
mod clock;
mod definition;
pub mod doctor;
mod document;
pub mod error;
mod event;
mod id;
mod live;
mod macros;
mod materialize;
mod options;
pub mod prelude;
mod primitives;
mod projection;
mod query;
mod registry;
mod schema;
mod seeded;
mod storage;
mod store;
mod sync;
mod table;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod value;

// The examples of the guide are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/reading.md")]
mod reading {}

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use jiff::Timestamp;
pub use serde;
pub use uuid::Uuid;

#[cfg(any(feature = "http", feature = "ws"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "http", feature = "ws"))))]
pub use self::sync::{BackendUrlError, UntrustedServer};
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use self::sync::{HttpBackend, HttpBackendBuilder};
#[cfg(feature = "ws")]
#[cfg_attr(docsrs, doc(cfg(feature = "ws")))]
pub use self::sync::{TooManyStores, WsBackend, WsBackendBuilder};
pub use self::{
    across::{Across, AcrossSubscription, FailedStore, Gathered, Gathering},
    adapter::{Adapter, SqliteAdapter},
    change::{ChangeRecord, RowChange},
    definition::{
        BoxFuture, EventOf, Projected, ProjectionDefinition, Singleton, SingletonDefinition, StoreDefinition,
    },
    document::{Document, DocumentOf, DocumentQuery, HasDocument},
    error::{
        AcrossError, BoxError, CommitError, CommitErrorKind, DeleteError, ExistingRow, LoadError, MaterializeError,
        OpenFilesLimit, QueryError, QueryErrorKind, SharedError, StoreError, StoreIdError, SyncError,
    },
    event::{
        ClientId, Event, EventContext, EventDecodeError, EventEncodeError, EventId, EventInfo, EventNumber, LogNumbers,
        ParseEventNumberError, ParseLogNumbersError, SessionId, StoredEvent,
    },
    id::{IntoStoreId, Only, StoreId, StoreKey},
    live::{Computed, Live, LiveStats, Signal, Source, Sources, Subscription, Updates},
    macros::{
        ColumnValue, Document, Event, Row, StoreKey, StoreSchema, Table, define_projection, define_store, materializer,
    },
    materialize::{Delete, MaterializeResult, SqlParam, SqlParams, Tables, Target, Update},
    options::{
        Attributes, Durability, Environment, GcTime, InitialSync, IntoGcTime, Limits, Payload, StoreOptions,
        UnknownEvents,
    },
    projection::{OpenProjection, ProjectedSource, ProjectionHandle},
    query::{
        Aggregate, AggregateValue, Aggregates, At, ByKey, Chosen, Count, ExactlyOne, Exists, FieldOf, FieldsOf, First,
        FirstGroup, Fits, FitsSchema, FromTables, GroupTerm, Groups, HasTables, Includes, IntoGroupOrder, Itself,
        JoinColumn, JoinedTable, JoinedWith, Made, MadeOf, Nullable, One, OneByKey, Picked, Position, Predicate, Query,
        Referenced, Referencing, Required, Row, RowCount, RowRef, RowStruct, Select, Selection, SqlQuery, SqlShape,
        SumColumn, TableReads, Totals, UnionQuery, Whole, Yield, Yields, count,
    },
    registry::{
        Clear, DeleteStore, Evict, Get, LoadContext, OpenOptions, Preload, RegistryBuilder, RegistryStats,
        RegistryWatch, ShutdownReport, StoreEnd, StoreHandle, StoreRegistry, StoreShutdown, StoreState, StoreStats,
        StoreSync, StoredStore,
    },
    schema::{Fingerprint, HasTable, Materializer, StoreSchema},
    store::{
        Change, ChangeStream, CommitAsync, EventStream, FailedEvent, IntoEvents, LoadProgress, LogChange, Loss,
        LostCommits, Migration, MigrationsReport, NoIndex, PendingEventStream, QuarantinedEvent, RebuildReason,
        Receipt, Snapshot, Store, StoreName, TableReport, VerifyReport,
    },
    sync::{
        BackendConnection, BackendError, BackendSupport, BoxStream, LocalBackend, NetworkStatus, OnBackendChange,
        PullPage, PullRequest, PushAnswer, PushRequest, Refusal, Remaining, SyncBackend, SyncPhase, SyncStatus,
        SyncWatch,
    },
    table::{
        Column, ColumnSchema, ComputedColumn, IndexSchema, IntoKey, IntoOperand, IntoOrder, KeyColumns, Number, Order,
        ReferenceAction, ReferenceSchema, SetTo, Table, TableSchema,
    },
    value::{
        ColumnType, ColumnValue, Encoded, IntoValue, Json, NotNull, SourceId, Storage, Value, ValueError, ValueRef,
    },
};
