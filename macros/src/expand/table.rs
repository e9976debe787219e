//! `#[derive(Table)]` and `#[derive(Row)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, spanned::Spanned};

use super::hidden;
use crate::model::{Column, OnDelete, RowStruct, Table};

/// Prints a table.
pub(crate) fn table(table: &Table) -> TokenStream {
    let private = table.krate.private();
    let constants = constants(&private, &table.ident, &table.columns);
    let row = row_impl(&private, &table.ident, &table.columns);
    let table_impl = table_impl(&private, table);
    let references = references(&private, table);
    let assertions = assertions(&private, table);
    hidden(&quote!(#constants #row #table_impl #references #assertions))
}

/// Prints a row.
pub(crate) fn row(row: &RowStruct) -> TokenStream {
    hidden(&row_impl(&row.krate.private(), &row.ident, &row.columns))
}

/// `Issue::STATUS`
pub(crate) fn constants(private: &TokenStream, ident: &Ident, columns: &[Column]) -> TokenStream {
    let constants = columns.iter().enumerate().map(|(index, column)| {
        let Column { constant, vis, ty, docs, name, .. } = column;
        let summary = format!("The column `{name}`.");
        let separator = (!docs.is_empty()).then(|| quote!(#[doc = ""]));
        let types = match &column.reference {
            Some(reference) => {
                let to = &reference.table;
                quote!(#ident, #ty, #to)
            }
            None => quote!(#ident, #ty),
        };
        quote! {
            #[doc = #summary]
            #separator
            #(#docs)*
            #vis const #constant: #private::Column<#types> = #private::Column::__new(#index);
        }
    });
    quote! {
        #[automatically_derived]
        impl #ident { #(#constants)* }
    }
}

fn row_impl(private: &TokenStream, ident: &Ident, columns: &[Column]) -> TokenStream {
    let type_name = ident.to_string();
    let names = columns.iter().map(|column| &column.name);
    let fields = columns.iter().enumerate().map(|(index, column)| {
        let (field, ty) = (&column.ident, &column.ty);
        let value = quote_spanned!(ty.span()=> #private::RowRef::get::<#ty>(__row, #type_name, #index));
        quote!(#field: #value?)
    });
    quote! {
        #[automatically_derived]
        impl #private::Row for #ident {
            const NAME: &'static ::core::primitive::str = #type_name;
            const COLUMNS: &'static [&'static ::core::primitive::str] = &[#(#names),*];

            fn decode(__row: &#private::RowRef<'_>) -> ::core::result::Result<Self, #private::QueryError> {
                ::core::result::Result::Ok(Self { #(#fields),* })
            }
        }
    }
}

fn table_impl(private: &TokenStream, table: &Table) -> TokenStream {
    let ident = &table.ident;
    let name = &table.name;
    let key = key_type(table);
    let key_name = table.primary_key().next().map_or("", |(_, column)| column.name.as_str());
    let schema = schema(private, table);
    let values = table.columns.iter().map(|column| {
        let (field, ty) = (&column.ident, &column.ty);
        let value = quote_spanned!(ty.span()=> <#ty as #private::ColumnValue>::encode(&self.#field));
        quote!(__values.push(#value?);)
    });
    quote! {
        #[automatically_derived]
        impl #private::Table for #ident {
            type Key = #key;

            const __NAME: &'static ::core::primitive::str = #name;
            const __KEY: &'static ::core::primitive::str = #key_name;

            fn schema() -> &'static #private::TableSchema {
                static __SCHEMA: #private::TableSchema = #schema;
                &__SCHEMA
            }

            fn encode<'__a>(
                &'__a self,
                __values: &mut ::std::vec::Vec<#private::Encoded<'__a>>,
            ) -> ::core::result::Result<(), #private::ValueError> {
                #(#values)*
                ::core::result::Result::Ok(())
            }
        }
    }
}

/// One column's type, or a tuple of them.
pub(crate) fn key_type(table: &Table) -> TokenStream {
    let types: Vec<_> = table.primary_key().map(|(_, column)| &column.ty).collect();
    match types.as_slice() {
        [only] => quote!(#only),
        types => quote!((#(#types),*)),
    }
}

fn schema(private: &TokenStream, table: &Table) -> TokenStream {
    let (name, type_name) = (&table.name, table.ident.to_string());
    let columns = table.columns.iter().map(|column| {
        let (name, ty) = (&column.name, &column.ty);
        let default = match &column.default {
            Some(default) => {
                let sql = &default.sql;
                quote!(::core::option::Option::Some(#sql))
            }
            None => quote!(::core::option::Option::None),
        };
        let ty = quote_spanned!(ty.span()=> <#ty as #private::ColumnValue>::TYPE);
        quote!(#private::ColumnSchema { name: #name, ty: #ty, default: #default })
    });
    let primary_key = table.primary_key().map(|(at, _)| at);
    let unique = table.unique.iter().map(|fields| {
        let positions = table.positions(fields);
        quote!(&[#(#positions),*])
    });
    let indexes = table.indexes.iter().map(|fields| {
        let positions = table.positions(fields);
        let words: Vec<&str> = positions.iter().map(|at| table.columns[*at].name.as_str()).collect();
        let name = format!("{name}_{}_index", words.join("_"));
        quote!(#private::IndexSchema { name: #name, columns: &[#(#positions),*] })
    });
    let references = table.columns.iter().enumerate().filter_map(|(at, column)| {
        let reference = column.reference.as_ref()?;
        let to = &reference.table;
        let action = match reference.on_delete {
            OnDelete::Restrict => quote!(Restrict),
            OnDelete::Cascade => quote!(Cascade),
            OnDelete::SetNull => quote!(SetNull),
        };
        let (table, target) = (
            quote_spanned!(to.span()=> <#to as #private::Table>::__NAME),
            quote_spanned!(to.span()=> <#to as #private::Table>::__KEY),
        );
        Some(quote! {
            #private::ReferenceSchema {
                column: #at,
                table: #table,
                target: #target,
                on_delete: #private::ReferenceAction::#action,
            }
        })
    });
    quote! {
        #private::TableSchema {
            name: #name,
            type_name: #type_name,
            columns: &[#(#columns),*],
            primary_key: &[#(#primary_key),*],
            unique: &[#(#unique),*],
            indexes: &[#(#indexes),*],
            references: &[#(#references),*],
            statements: #private::TableStatements::new(),
        }
    }
}

/// A schema with this table has the tables it references, too.
fn references(private: &TokenStream, table: &Table) -> TokenStream {
    let ident = &table.ident;
    let tables = table.columns.iter().filter_map(|column| column.reference.as_ref()).map(|reference| &reference.table);
    quote! {
        #[automatically_derived]
        impl<__S> #private::ReferencesIn<__S> for #ident
        where
            #(__S: #private::HasTable<#tables>,)*
        {
        }
    }
}

/// What only the compiler knows of a column's type, each checked once.
fn assertions(private: &TokenStream, table: &Table) -> TokenStream {
    let keys = table.primary_key().map(|(_, column)| {
        let ty = &column.ty;
        quote_spanned!(ty.span()=> #private::assert_key_column::<#ty>();)
    });
    let references = table.columns.iter().filter_map(|column| {
        let (reference, ty) = (column.reference.as_ref()?, &column.ty);
        let to = &reference.table;
        let fits = quote_spanned!(ty.span()=> #private::assert_reference::<#ty, <#to as #private::Table>::Key>(););
        let nullable = (reference.on_delete == OnDelete::SetNull)
            .then(|| quote_spanned!(reference.span=> #private::assert_nullable::<#ty>();));
        Some(quote!(#fits #nullable))
    });
    let defaults = table.columns.iter().filter_map(|column| {
        let (default, ty) = (column.default.as_ref()?, &column.ty);
        let kind = Ident::new(default.kind, default.span);
        let text = default.text.as_deref().unwrap_or("");
        Some(quote_spanned! {default.span=>
            const _: () = #private::assert_default(&<#ty as #private::ColumnValue>::TYPE, #private::DefaultKind::#kind, #text);
        })
    });
    quote! {
        #(#defaults)*
        const _: fn() = || { #(#keys)* #(#references)* };
    }
}
