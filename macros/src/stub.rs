//! What is printed beside errors: implementations that let the rest of the user's code compile, so that the errors stand alone.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, Ident};

use crate::{
    expand,
    keys::Crate,
    parse::{
        definition::{Draft, Of},
        table::constant,
    },
    relay::{Known, relay},
};

fn hidden(body: &TokenStream) -> TokenStream {
    quote! {
        #[allow(dead_code, deprecated, unused_variables, clippy::all)]
        const _: () = { #body };
    }
}

/// `None` where the type has parameters: a stub could not name it.
fn plain<'a>(input: &'a DeriveInput, attribute: &str) -> Option<(TokenStream, &'a Ident)> {
    input.generics.params.is_empty().then(|| (Crate::of(&input.attrs, attribute).private(), &input.ident))
}

fn row_impl(private: &TokenStream, ident: &Ident) -> TokenStream {
    quote! {
        impl #private::Row for #ident {
            const NAME: &'static ::core::primitive::str = "";
            const COLUMNS: &'static [&'static ::core::primitive::str] = &[];
            fn decode(_: &#private::RowRef<'_>) -> ::core::result::Result<Self, #private::QueryErrorKind> {
                ::core::unimplemented!()
            }
        }
    }
}

/// A table whose columns have their constants, as far as there are fields.
pub(crate) fn table(input: &DeriveInput) -> TokenStream {
    let Some((private, ident)) = plain(input, "table") else { return TokenStream::new() };
    let mut seen = Vec::new();
    let mut key = quote!(::core::primitive::i64);
    let mut constants = Vec::new();
    if let Data::Struct(data) = &input.data
        && let Fields::Named(fields) = &data.fields
    {
        for field in &fields.named {
            let (Some(name), ty, vis) = (&field.ident, &field.ty, &field.vis) else { continue };
            let constant = constant(name);
            if seen.contains(&constant) {
                continue;
            }
            if seen.is_empty() {
                key = quote!(#ty);
            }
            constants.push(
                quote!(#[doc = ""] #vis const #constant: #private::Column<#ident, #ty> = #private::Column::__new(0);),
            );
            seen.push(constant);
        }
    }
    let row = row_impl(&private, ident);
    let queries = expand::table::queries(&private, ident, &input.vis, &key);
    let hidden = hidden(&quote! {
        impl #ident { #(#constants)* }
        #queries
        #row
        impl #private::Table for #ident {
            type Key = #key;
            const __NAME: &'static ::core::primitive::str = ::core::stringify!(#ident);
            const __KEY: &'static ::core::primitive::str = "";
            fn schema() -> &'static #private::TableSchema { ::core::unimplemented!() }
            fn encode<'__a>(
                &'__a self,
                _: &mut ::std::vec::Vec<#private::Encoded<'__a>>,
            ) -> ::core::result::Result<(), #private::ValueError> {
                ::core::unimplemented!()
            }
        }
        impl<__S> #private::TableIn<__S> for #ident {}
    });
    let relay = relay(ident, &input.vis, &Known::Broken);
    quote!(#hidden #relay)
}

/// A row.
pub(crate) fn row(input: &DeriveInput) -> TokenStream {
    let Some((private, ident)) = plain(input, "row") else { return TokenStream::new() };
    let row = row_impl(&private, ident);
    let types = match &input.data {
        Data::Struct(data) => data.fields.iter().map(|field| &field.ty).collect(),
        _ => Vec::new(),
    };
    let fields = expand::table::field_list(&private, ident, types.into_iter());
    hidden(&quote!(#row #fields))
}

/// A column type.
pub(crate) fn value(input: &DeriveInput) -> TokenStream {
    let Some((private, ident)) = plain(input, "column") else { return TokenStream::new() };
    let row = row_impl(&private, ident);
    hidden(&quote! {
        impl #private::ColumnValue for #ident {
            const TYPE: #private::ColumnType = #private::ColumnType::unit_enum(&[]);
            fn encode(&self) -> ::core::result::Result<#private::Encoded<'_>, #private::ValueError> {
                ::core::unimplemented!()
            }
            fn decode(_: #private::ValueRef<'_>) -> ::core::result::Result<Self, #private::ValueError> {
                ::core::unimplemented!()
            }
        }
        impl #private::NotNull for #ident {}
        #row
    })
}

/// An event type.
pub(crate) fn event(input: &DeriveInput) -> TokenStream {
    let Some((private, ident)) = plain(input, "event") else { return TokenStream::new() };
    hidden(&quote! {
        impl #private::Event for #ident {
            const EVENTS: &'static [#private::EventInfo] = &[];
            fn index(&self) -> ::core::primitive::usize { ::core::unimplemented!() }
            fn encode(
                &self,
            ) -> ::core::result::Result<::core::option::Option<::std::string::String>, #private::EventEncodeError> {
                ::core::unimplemented!()
            }
            fn decode(
                _: &::core::primitive::str,
                _: ::core::option::Option<&::core::primitive::str>,
            ) -> ::core::result::Result<::core::option::Option<Self>, #private::EventDecodeError> {
                ::core::unimplemented!()
            }
        }
    })
}

/// A schema that has every table.
pub(crate) fn schema(input: &DeriveInput) -> TokenStream {
    let Some((private, ident)) = plain(input, "schema") else { return TokenStream::new() };
    let events = crate::parse::schema::events_as_written(input);
    let Some(events) = events else { return TokenStream::new() };
    let hidden = hidden(&quote! {
        impl #private::StoreSchema for #ident {
            type Event = #events;
            const VERSION: ::core::primitive::u32 = 0;
            fn tables() -> ::std::vec::Vec<&'static #private::TableSchema> { ::core::unimplemented!() }
        }
        impl<__T> #private::HasTable<__T> for #ident {}
        impl<__T> #private::HasDocument<__T> for #ident {}
    });
    let relay = relay(ident, &input.vis, &Known::Broken);
    quote!(#hidden #relay)
}

/// A typed store id.
pub(crate) fn key(input: &DeriveInput) -> TokenStream {
    let Some((private, ident)) = plain(input, "store_key") else { return TokenStream::new() };
    hidden(&quote! {
        impl #private::StoreKey for #ident {
            fn store_id(&self) -> ::core::result::Result<#private::StoreId, #private::StoreIdError> {
                ::core::unimplemented!()
            }
            fn from_store_id(_: &#private::StoreId) -> ::core::result::Result<Self, #private::StoreIdError> {
                ::core::unimplemented!()
            }
        }
    })
}

/// A definition, with what could be read of it.
pub(crate) fn definition(draft: &Draft) -> TokenStream {
    let private = Crate::new(draft.krate.clone()).private();
    let Draft { attributes, vis, ident, .. } = draft;
    let item = quote!(#(#attributes)* #vis enum #ident {});
    let Some(schema) = &draft.schema else { return item };
    let (id, singleton) = match (&draft.id, &draft.singleton) {
        (Some(id), _) => (quote!(#id), None),
        (None, Some(_)) => (
            quote!(#private::Singleton),
            Some(
                quote!(impl #private::SingletonDefinition for #ident { const STORE_ID: &'static ::core::primitive::str = ""; }),
            ),
        ),
        (None, None) if draft.of == Of::Projection => (quote!(#private::Projected), stub_of_projection(draft)),
        (None, None) => (quote!(#private::StoreId), None),
    };
    let body = hidden(&quote! {
        impl #private::StoreDefinition for #ident {
            type Id = #id;
            type Schema = #schema;
            const NAME: &'static ::core::primitive::str = "";
            fn __adapter() -> impl #private::Adapter { #private::SqliteAdapter::persisted() }
        }
        impl #private::DefinedOn<#schema> for #ident {}
        #singleton
    });
    let mut queries = draft.queries.clone();
    queries.dedup_by(|later, first| later.ident == first.ident);
    let queries = expand::query::unchecked(&Crate::new(draft.krate.clone()), ident, &queries);
    quote!(#item #body #queries)
}

/// A projection, if it could be read of what.
fn stub_of_projection(draft: &Draft) -> Option<TokenStream> {
    let (private, ident) = (Crate::new(draft.krate.clone()).private(), &draft.ident);
    let source = draft.source.as_ref()?;
    Some(quote!(impl #private::ProjectionDefinition for #ident { type Source = #source; }))
}

/// A document that cannot be read or written.
pub(crate) fn document(input: &DeriveInput) -> TokenStream {
    let Some((private, ident)) = plain(input, "document") else { return TokenStream::new() };
    hidden(&quote! {
        impl #private::Document for #ident {
            fn __table() -> &'static #private::TableSchema { ::core::unimplemented!() }
            fn __serialize<__S: #private::serde::Serializer>(
                &self,
                _: __S,
            ) -> ::core::result::Result<__S::Ok, __S::Error> {
                ::core::unimplemented!()
            }
            fn __deserialize<'__de, __De: #private::serde::Deserializer<'__de>>(
                _: __De,
            ) -> ::core::result::Result<Self, __De::Error> {
                ::core::unimplemented!()
            }
        }
    })
}
