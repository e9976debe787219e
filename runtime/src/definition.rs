//! Store definitions: what `define_store!` makes.

use crate::{
    adapter::Adapter,
    error::BoxError,
    id::StoreKey,
    options::StoreOptions,
    registry::LoadContext,
    schema::{Materializer, StoreSchema},
    store::Store,
};

/// A future that is boxed so that a trait method can return it; `Send`, so that an executor may move it to another thread.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The events of a definition's schema.
pub type EventOf<D> = <<D as StoreDefinition>::Schema as StoreSchema>::Event;

/// A kind of store: name, id type, schema, adapter, policies. Made by [`define_store!`](crate::define_store).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store definition",
    label = "expected a type made by `define_store!`"
)]
pub trait StoreDefinition: Send + Sync + Sized + 'static {
    /// What opens a store of this definition.
    type Id: StoreKey;

    /// Its tables, events and materializer.
    type Schema: Materializer;

    /// The name on disk, in messages and in telemetry.
    const NAME: &'static str;

    /// Its tables are made of other stores' events.
    #[doc(hidden)]
    const __PROJECTION: bool = false;

    /// Where the data lives; evaluated once per load.
    #[doc(hidden)]
    fn __adapter() -> impl Adapter;

    /// The definition's layer of the options.
    #[doc(hidden)]
    fn __options() -> StoreOptions {
        StoreOptions::default()
    }

    /// Runs once per load, before anybody gets the store.
    #[doc(hidden)]
    fn __on_load<'a>(store: &'a Store<Self>, context: LoadContext) -> BoxFuture<'a, Result<(), BoxError>> {
        let _ = (store, context);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A definition whose schema is `S`. Generated beside the definition: a query of another store is then told so by name.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this query belongs to `{Self}`, and the schema here is `{S}`",
    label = "declared in the `queries {{ .. }}` of `{Self}`",
    note = "ask a `Store<{Self}>`, or declare the query in this store's own `define_store!`"
)]
pub trait DefinedOn<S>: StoreDefinition {}

/// What an `on_load` returns.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`on_load` returns `{Self}`",
    label = "this function should return `Result<(), E>`, where `E` is an error type",
    note = "`async fn on_load(store: &Store<YourStore>, context: LoadContext) -> Result<(), E>`"
)]
pub trait HookResult {
    /// With the app's error boxed.
    ///
    /// # Errors
    /// The app's.
    fn boxed(self) -> Result<(), BoxError>;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> HookResult for Result<(), E> {
    fn boxed(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// What an `on_load` returned, with the app's error boxed; for generated code.
///
/// # Errors
/// The app's.
#[doc(hidden)]
pub fn hook_done(result: impl HookResult) -> Result<(), BoxError> {
    result.boxed()
}

/// A definition of one store per data dir, marked `singleton: ".."` in `define_store!`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a singleton store",
    label = "opened with an id",
    note = "to open it without an id, add `singleton: \"..\"` to its `define_store!`"
)]
pub trait SingletonDefinition: StoreDefinition<Id = Singleton> {
    /// The one store's id.
    const STORE_ID: &'static str;
}

/// The id type of a singleton definition: it has no values, so that only `get_singleton` opens one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Singleton {}

/// A read model of all stores of another definition. Made by [`define_projection!`](crate::define_projection).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection",
    label = "expected a type made by `define_projection!`"
)]
pub trait ProjectionDefinition: StoreDefinition<Id = Projected> {
    /// The definition whose stores' events it is made of.
    type Source: StoreDefinition<Schema: StoreSchema<Event = EventOf<Self>>>;
}

/// The id type of a projection: it has no values, so that only [`StoreRegistry::projection`](crate::StoreRegistry::projection) opens one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Projected {}

/// Checked while compiling: the tables of a projection begin with the source.
#[doc(hidden)]
#[track_caller]
pub const fn assert_projected<S: StoreSchema>() {
    let mut at = 0;
    while at < S::__TABLES.len() {
        let (_, columns) = S::__TABLES[at];
        if columns.is_empty() || !columns[0].ty.encoding.eq_ignore_ascii_case(SOURCE) {
            panic!(
                "a table of a projection begins with its source: make `#[table(primary_key)] source: SourceId` its first field"
            );
        }
        at += 1;
    }
}

/// The encoding of a [`SourceId`](crate::SourceId).
pub(crate) const SOURCE: &str = "source";
