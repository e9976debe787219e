//! `#[derive(ColumnValue)]`

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, Member, Type, spanned::Spanned};

use super::hidden;
use crate::{
    keys::Crate,
    model::{ColumnValue, ValueKind, ValueVariant},
};

/// Prints a column type.
pub(crate) fn value(value: &ColumnValue) -> TokenStream {
    let private = value.krate.private();
    let ident = &value.ident;
    let value_impl = match &value.kind {
        ValueKind::Enum(variants) => unit_enum(&private, ident, variants),
        ValueKind::Newtype { member, ty } => newtype(&value.krate, ident, member, ty),
    };
    let scalar = scalar(&private, ident);
    hidden(&quote!(#value_impl #scalar))
}

/// What a column value is beside its encoding: never `NULL`, and a row of one column.
fn scalar(private: &TokenStream, ident: &Ident) -> TokenStream {
    let name = ident.to_string();
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::NotNull for #ident {}

        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::Row for #ident {
            const NAME: &'static ::core::primitive::str = #name;
            const COLUMNS: &'static [&'static ::core::primitive::str] = &[];
            const __TYPES: &'static [#private::ColumnType] = &[<Self as #private::ColumnValue>::TYPE];

            fn decode(__row: &#private::RowRef<'_>) -> ::core::result::Result<Self, #private::QueryErrorKind> {
                __row.__get(#name, 0, <Self as #private::ColumnValue>::decode)
            }
        }
    }
}

fn unit_enum(private: &TokenStream, ident: &Ident, variants: &[ValueVariant]) -> TokenStream {
    let type_name = ident.to_string();
    let idents: Vec<&Ident> = variants.iter().map(|variant| &variant.ident).collect();
    let names: Vec<&String> = variants.iter().map(|variant| &variant.name).collect();
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::ColumnValue for #ident {
            const TYPE: #private::ColumnType = #private::ColumnType::unit_enum(&[#(#names),*]);

            fn encode(&self) -> ::core::result::Result<#private::Encoded<'_>, #private::ValueError> {
                ::core::result::Result::Ok(#private::text(match self { #(Self::#idents => #names),* }))
            }

            fn decode(__value: #private::ValueRef<'_>) -> ::core::result::Result<Self, #private::ValueError> {
                match __value {
                    #(#private::ValueRef::Text(#names) => ::core::result::Result::Ok(Self::#idents),)*
                    __other => ::core::result::Result::Err(#private::not_a_variant(#type_name, &[#(#names),*], __other)),
                }
            }
        }
    }
}

fn newtype(krate: &Crate, ident: &Ident, member: &Member, ty: &Type) -> TokenStream {
    let (private, span) = (krate.private(), ty.span());
    let here = krate.private_at(span);
    let constant = quote_spanned!(span=> <#ty as #here::ColumnValue>::TYPE);
    let encode = quote_spanned!(span=> <#ty as #here::ColumnValue>::encode(&self.#member));
    let decode = quote_spanned!(span=> <#ty as #here::ColumnValue>::decode(__value));
    let assertion = quote_spanned!(span=> const _: () = #here::assert_newtype(&#constant););
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::ColumnValue for #ident {
            const TYPE: #private::ColumnType = #constant;

            fn encode(&self) -> ::core::result::Result<#private::Encoded<'_>, #private::ValueError> {
                #encode
            }

            fn decode(__value: #private::ValueRef<'_>) -> ::core::result::Result<Self, #private::ValueError> {
                ::core::result::Result::Ok(Self { #member: #decode? })
            }
        }

        #assertion
    }
}
