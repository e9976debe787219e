//! `#[derive(StoreSchema)]`

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, Type, spanned::Spanned};

use super::hidden;
use crate::{model::Schema, relay};

/// Prints a schema.
pub(crate) fn schema(schema: &Schema) -> TokenStream {
    let private = schema.krate.private();
    let Schema { ident, events, tables, version, .. } = schema;
    let entries = tables.iter().map(|table| {
        let entry = table_in(schema, table);
        quote_spanned!(table.span()=> #entry::__table())
    });
    let has_table = tables.iter().map(|table| {
        let (self_type, here) = (self_type(schema, table), schema.krate.private_at(table.span()));
        quote_spanned! {table.span()=>
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl #here::HasTable<#table> for #self_type {}
        }
    });
    let names = tables.iter().enumerate().skip(1).map(|(at, table)| {
        let before = tables[..at].iter().map(|before| table_in(schema, before));
        let (own, here) = (table_in(schema, table), schema.krate.private_at(table.span()));
        quote_spanned!(table.span()=> const _: () = #here::assert_new_table(&[#(#before::__TABLE),*], #own::__TABLE);)
    });
    let columns = tables.iter().map(|table| {
        let own = table_in(schema, table);
        quote_spanned!(table.span()=> (#own::__TABLE, #own::__TABLE_COLUMNS))
    });
    let documents = documents_of(schema);
    let has_document = schema.documents.iter().map(|document| {
        let (self_type, here) = (self_type(schema, document), schema.krate.private_at(document.span()));
        quote_spanned! {document.span()=>
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl #here::HasDocument<#document> for #self_type {}
        }
    });
    let entries = entries.chain(schema.documents.iter().map(|document| document_table(schema, document)));
    let relay = relay::schema(&schema.krate, ident, &schema.vis, tables);
    let hidden = hidden(&quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::StoreSchema for #ident {
            type Event = #events;
            const VERSION: ::core::primitive::u32 = #version;
            const __TABLES: &'static [(&'static ::core::primitive::str, &'static [#private::ColumnSchema])] =
                &[#(#columns),*];

            #documents

            fn tables() -> ::std::vec::Vec<&'static #private::TableSchema> {
                ::std::vec![#(#entries),*]
            }
        }

        #(#has_table)*
        #(#has_document)*
        #(#names)*
    });
    quote!(#hidden #relay)
}

/// The schema's name at the place of a table: rustc blames the tokens of the Self type, and the mistake is in the table.
fn self_type(schema: &Schema, table: &Type) -> Ident {
    Ident::new(&schema.ident.to_string(), schema.ident.span().located_at(table.span()))
}

fn table_in(schema: &Schema, table: &Type) -> TokenStream {
    let (self_type, here) = (self_type(schema, table), schema.krate.private_at(table.span()));
    quote_spanned!(table.span()=> <#table as #here::TableIn<#self_type>>)
}

fn document_table(schema: &Schema, document: &Type) -> TokenStream {
    let here = schema.krate.private_at(document.span());
    quote_spanned!(document.span()=> <#document as #here::Document>::__table())
}

fn documents_of(schema: &Schema) -> Option<TokenStream> {
    let private = schema.krate.private();
    let documents = schema.documents.iter().map(|document| document_table(schema, document));
    (!schema.documents.is_empty()).then(|| {
        quote! {
            fn __documents() -> ::std::vec::Vec<&'static #private::TableSchema> {
                ::std::vec![#(#documents),*]
            }
        }
    })
}
