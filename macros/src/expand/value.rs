//! `#[derive(ColumnValue)]`

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, Member, Type, spanned::Spanned};

use super::hidden;
use crate::model::{ColumnValue, ValueKind, ValueVariant};

/// Prints a column type.
pub(crate) fn value(value: &ColumnValue) -> TokenStream {
    let private = value.krate.private();
    let ident = &value.ident;
    let value_impl = match &value.kind {
        ValueKind::Enum(variants) => unit_enum(&private, ident, variants),
        ValueKind::Newtype { member, ty } => newtype(&private, ident, member, ty),
    };
    let scalar = scalar(&private, ident);
    hidden(&quote!(#value_impl #scalar))
}

/// What a column value is beside its encoding: never `NULL`, and a row of one column.
pub(crate) fn scalar(private: &TokenStream, ident: &Ident) -> TokenStream {
    let name = ident.to_string();
    quote! {
        #[automatically_derived]
        impl #private::NotNull for #ident {}

        #[automatically_derived]
        impl #private::Row for #ident {
            const NAME: &'static ::core::primitive::str = #name;
            const COLUMNS: &'static [&'static ::core::primitive::str] = &[];

            fn decode(__row: &#private::RowRef<'_>) -> ::core::result::Result<Self, #private::QueryError> {
                #private::RowRef::get::<Self>(__row, #name, 0)
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

fn newtype(private: &TokenStream, ident: &Ident, member: &Member, ty: &Type) -> TokenStream {
    let span = ty.span();
    let constant = quote_spanned!(span=> <#ty as #private::ColumnValue>::TYPE);
    let encode = quote_spanned!(span=> <#ty as #private::ColumnValue>::encode(&self.#member));
    let decode = quote_spanned!(span=> <#ty as #private::ColumnValue>::decode(__value));
    let assertion = quote_spanned!(span=> #private::assert_newtype::<#ty>());
    quote! {
        #[automatically_derived]
        impl #private::ColumnValue for #ident {
            const TYPE: #private::ColumnType = #constant;

            fn encode(&self) -> ::core::result::Result<#private::Encoded<'_>, #private::ValueError> {
                #encode
            }

            fn decode(__value: #private::ValueRef<'_>) -> ::core::result::Result<Self, #private::ValueError> {
                ::core::result::Result::Ok(Self { #member: #decode? })
            }
        }

        const _: fn() = || #assertion;
    }
}
