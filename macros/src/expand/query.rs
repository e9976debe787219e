//! `queries { .. }`: one function per query.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, Type, TypePath, ext::IdentExt, spanned::Spanned};

use crate::{
    keys::Crate,
    model::{QueryFn, Shape},
};

/// Prints the functions. The schema's tables are at hand here: a check of the SQL against them belongs beside each function.
pub(super) fn queries(krate: &Crate, store: &Ident, queries: &[QueryFn]) -> TokenStream {
    if queries.is_empty() {
        return TokenStream::new();
    }
    let functions = queries.iter().map(|query| function(krate, store, query));
    quote! {
        impl #store { #(#functions)* }
    }
}

fn function(krate: &Crate, store: &Ident, query: &QueryFn) -> TokenStream {
    let private = krate.private();
    let QueryFn { attributes, vis, ident, sql, .. } = query;
    let arguments = query.parameters.iter().map(|(name, ty)| quote!(#name: #ty));
    let values = query.parameters.iter().map(|(name, ty)| {
        let text = name.unraw().to_string();
        let column = column_type(ty);
        let here = krate.private_at(ty.span());
        let value = quote_spanned!(ty.span()=> #here::IntoValue::<#column>::into_value(#name));
        quote!((#text, #value))
    });
    let shape = match &query.shape {
        Shape::Many(row) => quote_spanned!(row.span()=> ::std::vec::Vec<#row>),
        Shape::Optional(row) => quote_spanned!(row.span()=> ::core::option::Option<#row>),
        Shape::One(row) => quote_spanned!(row.span()=> #private::ExactlyOne<#row>),
    };
    quote! {
        #(#attributes)*
        #vis fn #ident(#(#arguments),*) -> #private::SqlQuery<#store, #shape> {
            #private::SqlQuery::__new(#sql, ::std::vec![#(#values),*])
        }
    }
}

/// The column type that a parameter is stored as: `&str` as `String`, `&T` as `T`.
fn column_type(ty: &Type) -> TokenStream {
    match ty {
        Type::Reference(reference) => match &*reference.elem {
            Type::Path(TypePath { qself: None, path, .. }) if path.is_ident("str") => quote!(::std::string::String),
            other => quote!(#other),
        },
        other => quote!(#other),
    }
}
