//! `#[derive(StoreKey)]`

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::hidden;
use crate::model::{KeyField, Segment, StoreKey};

/// Prints a typed store id.
pub(crate) fn key(key: &StoreKey) -> TokenStream {
    let private = key.krate.private();
    let (ident, pattern) = (&key.ident, &key.pattern);
    let segments = key.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => quote!(#private::KeySegment::Literal(#text)),
        Segment::Field(_) => quote!(#private::KeySegment::Field),
    });
    let ordered: Vec<&KeyField> = key
        .segments
        .iter()
        .filter_map(|segment| match segment {
            Segment::Field(name) => key.fields.iter().find(|field| field.name == *name),
            Segment::Literal(_) => None,
        })
        .collect();
    let parts = ordered.iter().map(|field| {
        let member = &field.member;
        let ty = &field.ty;
        let here = key.krate.private_at(ty.span());
        quote_spanned!(ty.span()=> <#ty as #here::KeyPart>::to_part(&self.#member))
    });
    let fields = ordered.iter().map(|field| {
        let member = &field.member;
        let ty = &field.ty;
        let here = key.krate.private_at(ty.span());
        let value = quote_spanned!(ty.span()=> |__part| <#ty as #here::KeyPart>::from_part(__part));
        quote!(#member: #private::key_field(&__PATTERN, __id, &mut __parts, #value)?)
    });
    hidden(&quote! {
        static __PATTERN: #private::KeyPattern = #private::KeyPattern { text: #pattern, segments: &[#(#segments),*] };

        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::StoreKey for #ident {
            fn store_id(&self) -> ::core::result::Result<#private::StoreId, #private::StoreIdError> {
                __PATTERN.format(&[#(#parts),*])
            }

            fn from_store_id(__id: &#private::StoreId) -> ::core::result::Result<Self, #private::StoreIdError> {
                let mut __parts = __PATTERN.parse(__id)?.into_iter();
                #private::same_id(&__PATTERN, __id, Self { #(#fields),* })
            }
        }
    })
}
