//! `queries { .. }`: one function per query.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, Type, TypePath, ext::IdentExt, spanned::Spanned};

use crate::{
    keys::Crate,
    model::{QueryFn, Shape},
};

/// Prints the functions. The schema's tables are at hand here: a check of the SQL against them belongs beside each function.
pub(crate) fn queries(krate: &Crate, store: &Ident, queries: &[QueryFn]) -> TokenStream {
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
        let (text, value) = (name.unraw().to_string(), value(krate, name, ty));
        quote!((#text, #value))
    });
    let (shape, row) = match &query.shape {
        Shape::Many(row) => (quote!(::std::vec::Vec<#row>), row),
        Shape::Optional(row) => (quote!(::core::option::Option<#row>), row),
        Shape::One(row) => (quote!(#private::ExactlyOne<#row>), row),
    };
    let here = krate.private_at(row.span());
    let row_fits = quote_spanned!(row.span()=> #here::assert_row::<#row>(););
    quote! {
        #(#attributes)*
        #vis fn #ident(#(#arguments),*) -> #private::SqlQuery<#store, #shape> {
            #row_fits
            #private::SqlQuery::__new(#sql, ::std::vec![#(#values),*])
        }
    }
}

/// A parameter in its stored form: `&str` as a `String` column's value, `&T` as that of a column of `T`.
fn value(krate: &Crate, name: &Ident, ty: &Type) -> TokenStream {
    let (column, reference) = match ty {
        Type::Reference(reference) => (&*reference.elem, quote!(#name)),
        other => (other, quote!(&#name)),
    };
    let here = krate.private_at(column.span());
    if matches!(column, Type::Path(TypePath { qself: None, path, .. }) if path.is_ident("str")) {
        return quote!(#here::IntoValue::<::std::string::String>::into_value(#name));
    }
    quote_spanned!(column.span()=> #here::bind(<#column as #here::ColumnValue>::encode(#reference)))
}
