//! Schemas: the tables and events of a store, and how the events change the tables.

use crate::{
    event::{Event, EventContext},
    materialize::{MaterializeResult, Tables},
    table::{ColumnSchema, TableSchema},
};

mod fingerprint;
mod model;
mod order;

pub use fingerprint::Fingerprint;
pub(crate) use model::SchemaModel;

/// The tables and events of a store. Implemented by `#[derive(StoreSchema)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a schema",
    label = "expected a type with `#[derive(StoreSchema)]`"
)]
pub trait StoreSchema: Sized + Send + Sync + 'static {
    /// The events, an enum with `#[derive(Event)]`.
    type Event: Event;

    /// Raised when the tables must be rebuilt for a reason that the schema does not show, such as a changed helper of a materializer.
    const VERSION: u32;

    /// Tables and their columns, where they are needed while compiling.
    #[doc(hidden)]
    const __TABLES: &'static [(&'static str, &'static [ColumnSchema])] = &[];

    /// The tables of the documents, which are among [`tables`](Self::tables).
    #[doc(hidden)]
    fn __documents() -> Vec<&'static TableSchema> {
        Vec::new()
    }

    /// The tables, parents before the tables that reference them.
    fn tables() -> Vec<&'static TableSchema>;
}

/// The schema has table `T`. One implementation per table in `#[schema(tables(..))]`.
#[diagnostic::on_unimplemented(
    message = "table `{T}` is not in `{Self}`",
    label = "`{Self}` does not have this table",
    note = "add `{T}` to `#[schema(tables(..))]` of `{Self}`, or ask a store that has it"
)]
pub trait HasTable<T> {}

/// How events change tables: a pure function of the event, its context and the tables.
///
/// Write it with [`#[larder::materializer]`](macro@crate::materializer) above the `impl`, so that a changed materializer rebuilds the tables.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a schema with a materializer",
    label = "expected a type with `#[derive(StoreSchema)]` and an `impl Materializer`",
    note = "if it is a schema, write `#[larder::materializer] impl Materializer for {Self} {{ fn materialize(..) {{ .. }} }}`"
)]
pub trait Materializer: StoreSchema {
    /// A hash of the implementation's text; `#[larder::materializer]` fills it in.
    #[doc(hidden)]
    const __SOURCE: u64 = 0;

    /// Applies one event to the tables.
    ///
    /// # Errors
    /// Any error undoes what this event wrote: the commit fails, or (at a rebuild or a pull) the event is listed as failed.
    fn materialize(event: &Self::Event, about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult;
}
