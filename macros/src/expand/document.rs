//! `#[derive(Document)]`

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Attribute, Field};

use super::hidden;
use crate::model::Document;

/// Prints a document. serde reads and writes it through a copy of the struct, so that the app needs no serde of its own.
pub(crate) fn document(document: &Document) -> TokenStream {
    let Document { krate, ident, name, fields, .. } = document;
    let private = krate.private();
    let (serde, remote) = (path_text(&quote!(#private::serde)), ident.to_string());
    let fields = fields.iter().map(|field| {
        let Field { attrs, ident, ty, .. } = field;
        let serde = attrs.iter().filter(|attribute: &&Attribute| attribute.path().is_ident("serde"));
        quote!(#(#serde)* #ident: #ty)
    });
    let type_name = ident.to_string();
    let has_default = quote_spanned! {ident.span()=>
        const _: fn() = || {
            fn __has_default<__T: ::core::default::Default>() {}
            __has_default::<#ident>();
        };
    };
    hidden(&quote! {
        #has_default

        #[derive(#private::serde::Serialize, #private::serde::Deserialize)]
        #[serde(crate = #serde, remote = #remote)]
        struct __Document { #(#fields),* }

        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::Document for #ident {
            fn __table() -> &'static #private::TableSchema {
                static __SCHEMA: #private::TableSchema = #private::TableSchema::__of_documents(#name, #type_name);
                &__SCHEMA
            }

            fn __serialize<__S: #private::serde::Serializer>(
                &self,
                __serializer: __S,
            ) -> ::core::result::Result<__S::Ok, __S::Error> {
                __Document::serialize(self, __serializer)
            }

            fn __deserialize<'__de, __De: #private::serde::Deserializer<'__de>>(
                __deserializer: __De,
            ) -> ::core::result::Result<Self, __De::Error> {
                __Document::deserialize(__deserializer)
            }
        }
    })
}

/// A path as serde takes it: text without blanks.
fn path_text(path: &TokenStream) -> String {
    path.to_string().replace(' ', "")
}
