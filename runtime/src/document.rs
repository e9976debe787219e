//! Client documents: state of a user interface, one value of a struct for each id, kept beside a store's tables.
//!
//! A document is a row of a table of two columns, its id and the JSON of the fields that were ever changed; all others have the value that
//! `Default` gives them. A change is a client-only event with the fields that are others now, so that changes of different fields do not
//! undo each other. `stored` makes values of rows and back.

mod query;
mod stored;

pub use query::DocumentQuery;
pub(crate) use stored::{CHANGED, Changes, apply};

use serde::{Deserializer, Serializer};

use crate::table::TableSchema;

/// State of a user interface: a struct whose value a store keeps for each of any number of ids, on this client alone. Implemented by
/// [`derive(Document)`](derive@crate::Document).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a document",
    label = "expected a struct with `#[derive(Document)]`"
)]
pub trait Document: Default + Send + Sync + 'static {
    /// The value of the document with this id: the default, until something is changed. A query; reading never writes.
    ///
    /// A field whose stored value does not fit its type any more has its default.
    fn get(id: impl Into<String>) -> DocumentQuery<Self> {
        DocumentQuery::new(id.into())
    }

    /// The table in which the documents are.
    #[doc(hidden)]
    fn __table() -> &'static TableSchema;

    /// The fields, as an object.
    #[doc(hidden)]
    fn __serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// From the fields, as an object.
    #[doc(hidden)]
    fn __deserialize<'de, De: Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error>;
}

/// The schema has document `V`. One implementation per document in `#[schema(documents(..))]`.
#[diagnostic::on_unimplemented(
    message = "document `{V}` is not in `{Self}`",
    label = "`{Self}` does not have this document",
    note = "add `{V}` to `#[schema(documents(..))]` of `{Self}`, or ask a store that has it"
)]
pub trait HasDocument<V> {}

/// A document that schema `S` has. Unlike `S: HasDocument<V>` this never guesses `V`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "document `{Self}` is not in `{S}`",
    label = "`{S}` does not have this document",
    note = "add `{Self}`, a struct with `#[derive(Document)]`, to `#[schema(documents(..))]` of `{S}`"
)]
pub trait DocumentOf<S>: Document {}

#[diagnostic::do_not_recommend]
impl<S: HasDocument<V>, V: Document> DocumentOf<S> for V {}
