//! Each macro as a function from tokens to tokens. The compiler calls them through `lib.rs`; tests of this repository call them as they are.

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Field, Type};

use crate::{check, errors::Errors, expand, parse, parse::definition::Of, relay, stub};

/// `#[derive(Table)]`
pub(crate) fn table(input: TokenStream) -> TokenStream {
    derive(input, parse::table::table, check::table::table, expand::table::table, stub::table)
}

/// `#[derive(Row)]`
pub(crate) fn row(input: TokenStream) -> TokenStream {
    derive(input, parse::table::row, check::table::row, expand::table::row, stub::row)
}

/// `#[derive(Document)]`
pub(crate) fn document(input: TokenStream) -> TokenStream {
    derive(input, parse::document::document, check::document::document, expand::document::document, stub::document)
}

/// `#[derive(ColumnValue)]`
pub(crate) fn column_value(input: TokenStream) -> TokenStream {
    derive(input, parse::value::value, check::value::value, expand::value::value, stub::value)
}

/// `#[derive(Event)]`
pub(crate) fn event(input: TokenStream) -> TokenStream {
    derive(input, parse::event::event, check::event::event, expand::event::event, stub::event)
}

/// `#[derive(StoreSchema)]`
pub(crate) fn store_schema(input: TokenStream) -> TokenStream {
    derive(input, parse::schema::schema, check::schema::schema, expand::schema::schema, stub::schema)
}

/// `#[derive(StoreKey)]`
pub(crate) fn store_key(input: TokenStream) -> TokenStream {
    derive(input, parse::key::key, check::key::key, expand::key::key, stub::key)
}

/// `define_store!`
pub(crate) fn define_store(input: TokenStream) -> TokenStream {
    define(Of::Store, input)
}

/// `define_projection!`
pub(crate) fn define_projection(input: TokenStream) -> TokenStream {
    define(Of::Projection, input)
}

fn define(of: Of, input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let (draft, definition) = parse::definition::definition(of, input, &mut errors);
    if let Some(definition) = &definition {
        check::definition::definition(definition, &mut errors);
    }
    let stub = || draft.as_ref().map(stub::definition).unwrap_or_default();
    finish(errors, definition.as_ref().map(expand::definition::definition), stub)
}

/// `#[larder::materializer]`
pub(crate) fn materializer(arguments: &TokenStream, source: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let implementation = parse::materializer::materializer(arguments, &source, &mut errors);
    let printed = match implementation {
        Some(implementation) => expand::materializer::materializer(implementation, source),
        None => source,
    };
    let errors = errors.into_tokens();
    quote::quote!(#errors #printed)
}

/// `collect_tables!`, which a table's macro calls.
pub(crate) fn collect_tables(input: TokenStream) -> TokenStream {
    relay::collect(input).unwrap_or_else(syn::Error::into_compile_error)
}

/// `define_queries!`, which a schema's macro calls.
pub(crate) fn define_queries(input: TokenStream) -> TokenStream {
    expand::query::define(input).unwrap_or_else(syn::Error::into_compile_error)
}

fn derive<M>(
    input: TokenStream,
    parse: impl FnOnce(&DeriveInput, &mut Errors) -> Option<M>,
    check: impl FnOnce(&M, &mut Errors),
    expand: impl FnOnce(&M) -> TokenStream,
    stub: impl FnOnce(&DeriveInput) -> TokenStream,
) -> TokenStream {
    let mut input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    enclose_bounds(&mut input.data);
    let mut errors = Errors::default();
    let model = parse(&input, &mut errors);
    if let Some(model) = &model {
        check(model, &mut errors);
    }
    finish(errors, model.as_ref().map(expand), || stub(&input))
}

/// Puts field types that are lists of bounds in parentheses: `bool +` is one to `syn`, and `<bool + as Trait>` is not Rust.
fn enclose_bounds(data: &mut Data) {
    let fields: Vec<&mut Field> = match data {
        Data::Struct(data) => data.fields.iter_mut().collect(),
        Data::Enum(data) => data.variants.iter_mut().flat_map(|variant| variant.fields.iter_mut()).collect(),
        Data::Union(_) => Vec::new(),
    };
    for field in fields {
        if matches!(field.ty, Type::TraitObject(_) | Type::ImplTrait(_)) {
            let ty = &field.ty;
            field.ty = syn::parse_quote!((#ty));
        }
    }
}

fn finish(errors: Errors, expanded: Option<TokenStream>, stub: impl FnOnce() -> TokenStream) -> TokenStream {
    match (errors.into_tokens(), expanded) {
        (None, Some(expanded)) => expanded,
        (errors, _) => {
            let stub = stub();
            quote::quote!(#errors #stub)
        }
    }
}
