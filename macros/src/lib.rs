//! The procedural macros of `larder`. Use and read about them there; this crate has no public items of its own.
//!
//! Each macro goes the same way: `parse` reads tokens into a `model`, `check` looks at what no single token can tell, `expand` prints.
//! Errors are collected on the way. If there are any, `stub` prints implementations that keep the rest of the user's code compiling.

// Documented where `larder` exports them: docs here would be printed behind those.
#![allow(missing_docs)]

mod check;
mod errors;
mod expand;
mod keys;
mod message;
mod model;
mod parse;
mod stub;
mod suggest;
mod tokens;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as TokenStream2;
use syn::{DeriveInput, parse_macro_input};

use crate::errors::Errors;

#[proc_macro_derive(Table, attributes(table))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive(&input, parse::table::table, check::table::table, expand::table::table, stub::table)
}

#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive(&input, parse::table::row, check::table::row, expand::table::row, stub::row)
}

#[proc_macro_derive(ColumnValue, attributes(column))]
pub fn derive_column_value(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive(&input, parse::value::value, check::value::value, expand::value::value, stub::value)
}

#[proc_macro_derive(Event, attributes(event, serde))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive(&input, parse::event::event, check::event::event, expand::event::event, stub::event)
}

#[proc_macro_derive(StoreSchema, attributes(schema))]
pub fn derive_store_schema(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive(&input, parse::schema::schema, check::schema::schema, expand::schema::schema, stub::schema)
}

#[proc_macro_derive(StoreKey, attributes(store_key))]
pub fn derive_store_key(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive(&input, parse::key::key, check::key::key, expand::key::key, stub::key)
}

#[proc_macro]
pub fn define_store(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let (draft, definition) = parse::definition::definition(input.into(), &mut errors);
    if let Some(definition) = &definition {
        check::definition::definition(definition, &mut errors);
    }
    let stub = || draft.as_ref().map(stub::definition).unwrap_or_default();
    finish(errors, definition.as_ref().map(expand::definition::definition), stub)
}

#[proc_macro_attribute]
pub fn materializer(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let source: TokenStream2 = item.into();
    let implementation = parse::materializer::materializer(&arguments.into(), &source, &mut errors);
    let printed = match implementation {
        Some(implementation) => expand::materializer::materializer(implementation, source),
        None => source,
    };
    let errors = errors.into_tokens();
    quote::quote!(#errors #printed).into()
}

fn derive<M>(
    input: &DeriveInput,
    parse: impl FnOnce(&DeriveInput, &mut Errors) -> Option<M>,
    check: impl FnOnce(&M, &mut Errors),
    expand: impl FnOnce(&M) -> TokenStream2,
    stub: impl FnOnce(&DeriveInput) -> TokenStream2,
) -> TokenStream {
    let mut errors = Errors::default();
    let model = parse(input, &mut errors);
    if let Some(model) = &model {
        check(model, &mut errors);
    }
    finish(errors, model.as_ref().map(expand), || stub(input))
}

fn finish(errors: Errors, expanded: Option<TokenStream2>, stub: impl FnOnce() -> TokenStream2) -> TokenStream {
    match (errors.into_tokens(), expanded) {
        (None, Some(expanded)) => expanded.into(),
        (errors, _) => {
            let stub = stub();
            quote::quote!(#errors #stub).into()
        }
    }
}
