//! `#[derive(StoreSchema)]`

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, spanned::Spanned};

use super::hidden;
use crate::model::Schema;

/// Prints a schema.
pub(crate) fn schema(schema: &Schema) -> TokenStream {
    let private = schema.krate.private();
    let Schema { ident, events, tables, version, .. } = schema;
    let entries = tables.iter().map(|table| quote_spanned!(table.span()=> <#table as #private::Table>::schema()));
    let names = tables.iter().map(|table| quote_spanned!(table.span()=> <#table as #private::Table>::__NAME));
    // rustc blames the tokens of the Self type, so these carry the span of the table they are about.
    let has_table = tables.iter().map(|table| {
        let here = Ident::new(&ident.to_string(), ident.span().located_at(table.span()));
        quote_spanned! {table.span()=>
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl #private::HasTable<#table> for #here {}
        }
    });
    let references = tables.iter().map(|table| {
        let here = Ident::new(&ident.to_string(), ident.span().located_at(table.span()));
        quote_spanned!(table.span()=> #private::assert_references::<#here, #table>();)
    });
    hidden(&quote! {
        #[automatically_derived]
        impl #private::StoreSchema for #ident {
            type Event = #events;
            const VERSION: ::core::primitive::u32 = #version;

            fn tables() -> ::std::vec::Vec<&'static #private::TableSchema> {
                ::std::vec![#(#entries),*]
            }
        }

        #(#has_table)*

        const _: fn() = || { #(#references)* };
        const _: () = #private::assert_table_names(&[#(#names),*]);
    })
}
