//! The procedural macros of `larder`. Use and read about them there; this crate has no public items of its own.
//!
//! Each macro goes the same way: `parse` reads tokens into a `model`, `check` looks at what no single token can tell, `expand` prints.
//! Errors are collected on the way. If there are any, `stub` prints implementations that keep the rest of the user's code compiling.
//! `relay` brings a schema's tables to `define_store!`, where `sql` has SQLite check the queries. Every message stands in `message`.

// Documented where `larder` exports them: docs here would be printed behind those.
#![allow(missing_docs)]

#[cfg(test)]
mod budget;
mod check;
mod entry;
mod errors;
mod expand;
mod keys;
mod message;
mod model;
mod parse;
mod relay;
mod sql;
mod stub;
mod suggest;
mod tokens;

use proc_macro::TokenStream;

#[proc_macro_derive(Table, attributes(table))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    entry::table(input.into()).into()
}

#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(input: TokenStream) -> TokenStream {
    entry::row(input.into()).into()
}

#[proc_macro_derive(Document, attributes(document, serde))]
pub fn derive_document(input: TokenStream) -> TokenStream {
    entry::document(input.into()).into()
}

#[proc_macro_derive(ColumnValue, attributes(column))]
pub fn derive_column_value(input: TokenStream) -> TokenStream {
    entry::column_value(input.into()).into()
}

#[proc_macro_derive(Event, attributes(event, serde))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    entry::event(input.into()).into()
}

#[proc_macro_derive(StoreSchema, attributes(schema))]
pub fn derive_store_schema(input: TokenStream) -> TokenStream {
    entry::store_schema(input.into()).into()
}

#[proc_macro_derive(StoreKey, attributes(store_key))]
pub fn derive_store_key(input: TokenStream) -> TokenStream {
    entry::store_key(input.into()).into()
}

#[proc_macro]
pub fn define_store(input: TokenStream) -> TokenStream {
    entry::define_store(input.into()).into()
}

#[proc_macro]
pub fn define_projection(input: TokenStream) -> TokenStream {
    entry::define_projection(input.into()).into()
}

/// What a table's macro answers, on the way to its schema's own; see `relay`.
#[proc_macro]
pub fn collect_tables(input: TokenStream) -> TokenStream {
    entry::collect_tables(input.into()).into()
}

/// What a schema's macro answers to `define_store!`: the queries, and the tables that they are checked against.
#[proc_macro]
pub fn define_queries(input: TokenStream) -> TokenStream {
    entry::define_queries(input.into()).into()
}

#[proc_macro_attribute]
pub fn materializer(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry::materializer(&arguments.into(), item.into()).into()
}
