//! Tools for tests of stores: a clock that stands still, a registry on it, given/when/then, a log of what happened, and
//! [`sync_backend_conforms`] for sync backends.
//!
//! They are behind the feature `testing`, which an app turns on for its tests alone:
//!
//! ```toml
//! [dev-dependencies]
//! larder = { path = "../larder/runtime", features = ["testing"] }
//! ```
//!
//! [`given`] tests a materializer: given these events, when another is committed, then a query answers. It needs no registry and no
//! async. [`TestRegistry`] tests how an app uses its stores: it is a registry in memory whose time moves when the test says so, and
//! whose log says what happened, in order.
//!
//! ```
//! use std::time::Duration;
//!
//! use larder::{
//!     prelude::*,
//!     testing::{TestRegistry, given},
//! };
//! #
//! # #[derive(Table, Clone, Debug, PartialEq)]
//! # #[table(name = "jars")]
//! # struct Jar {
//! #     #[table(primary_key)]
//! #     number: i64,
//! #     label: String,
//! # }
//! #
//! # #[derive(Event, Clone, Debug, PartialEq)]
//! # enum JarEvent {
//! #     #[event(name = "v1.JarLabelled")]
//! #     Labelled { number: i64, label: String },
//! # }
//! #
//! # #[derive(StoreSchema)]
//! # #[schema(events = JarEvent, tables(Jar), version = 1)]
//! # struct ShelfSchema;
//! #
//! # #[larder::materializer]
//! # impl Materializer for ShelfSchema {
//! #     fn materialize(event: &JarEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
//! #         match event {
//! #             JarEvent::Labelled { label, .. } if label.is_empty() => Err(larder::MaterializeError::app("a label has letters")),
//! #             JarEvent::Labelled { number, label } => tables.upsert(Jar { number: *number, label: label.clone() }),
//! #         }
//! #     }
//! # }
//!
//! // The app: a table `Jar`, an event `JarEvent::Labelled`, and this definition.
//! define_store! {
//!     /// The jars of one shelf.
//!     ShelfStore {
//!         name: "shelf",
//!         schema: ShelfSchema,
//!         adapter: SqliteAdapter::persisted(),
//!         gc_time: GcTime::seconds(30),
//!     }
//! }
//!
//! fn labelled(number: i64, label: &str) -> JarEvent {
//!     JarEvent::Labelled { number, label: label.to_owned() }
//! }
//!
//! // A test of the materializer. (Here and below, `#[test]` and `#[tokio::test]` are left out.)
//! fn the_last_label_stays() {
//!     given::<ShelfStore>([labelled(1, "flour")])
//!         .when(labelled(1, "sugar"))
//!         .then(Jar::by_key(1), Some(Jar { number: 1, label: "sugar".to_owned() }));
//!     given::<ShelfStore>([]).when(labelled(1, "")).then_fails("a label has letters");
//! }
//!
//! // A test of how long a store stays.
//! async fn a_shelf_is_closed_half_a_minute_after_its_last_use() -> Result<(), LoadError> {
//!     let registry = TestRegistry::in_memory()?;
//!     let shelf = registry.get::<ShelfStore>("shelf:cellar").await?;
//!     shelf.commit(labelled(1, "flour")).expect("a label");
//!     drop(shelf);
//!
//!     registry.advance(Duration::from_secs(29)).await;
//!     assert!(registry.has::<ShelfStore>("shelf:cellar"));
//!     registry.advance(Duration::from_secs(1)).await;
//!     assert!(!registry.has::<ShelfStore>("shelf:cellar"));
//!
//!     let happened = [
//!         "loading shelf/shelf:cellar",
//!         "loaded shelf/shelf:cellar",
//!         "committed 1 shelf/shelf:cellar",
//!         "evicted shelf/shelf:cellar (gc)",
//!         "closed shelf/shelf:cellar",
//!     ];
//!     assert_eq!(registry.log().take(), happened);
//!     Ok(())
//! }
//! #
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), LoadError> {
//! #     the_last_label_stays();
//! #     a_shelf_is_closed_half_a_minute_after_its_last_use().await
//! # }
//! ```

mod backend;
mod clock;
mod given;
mod log;
mod registry;

pub use backend::sync_backend_conforms;
pub use clock::ManualClock;
pub use given::{Given, When, given};
pub use log::EventLog;
pub use registry::TestRegistry;

pub use crate::telemetry::Happened;
