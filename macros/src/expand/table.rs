//! `#[derive(Table)]` and `#[derive(Row)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, Type, Visibility, spanned::Spanned};

use super::hidden;
use crate::{
    keys::Crate,
    model::{Column, DefaultLiteral, OnDelete, Reference, RowStruct, Table},
    relay::{Known, relay},
    sql::TableShape,
};

/// Prints a table.
pub(crate) fn table(table: &Table) -> TokenStream {
    let constants = constants(&table.krate.private(), &table.ident, &table.columns);
    let queries = queries(&table.krate.private(), &table.ident, &table.vis, &key_type(table));
    let row = row_impl(&table.krate, &table.ident, &table.columns);
    let table_impl = table_impl(table);
    let references = references(table);
    let assertions = assertions(table);
    let hidden = hidden(&quote!(#constants #queries #row #table_impl #references #assertions));
    let relay = relay(&table.ident, &table.vis, &Known::Tables(vec![TableShape::of(table)]));
    quote!(#hidden #relay)
}

/// Prints a row.
pub(crate) fn row(row: &RowStruct) -> TokenStream {
    let row_impl = row_impl(&row.krate, &row.ident, &row.columns);
    let fields = field_list(&row.krate.private(), &row.ident, row.columns.iter().map(|column| &column.ty));
    hidden(&quote!(#row_impl #fields))
}

/// The fields' types, for queries that make the struct of their columns.
pub(crate) fn field_list<'a>(
    private: &TokenStream,
    ident: &Ident,
    types: impl DoubleEndedIterator<Item = &'a Type>,
) -> TokenStream {
    let list = types.rev().fold(quote!(()), |rest, ty| quote!((#ty, #rest)));
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::RowStruct for #ident {
            type __Fields = #list;
        }
    }
}

/// `Issue::STATUS`
fn constants(private: &TokenStream, ident: &Ident, columns: &[Column]) -> TokenStream {
    let constants = columns.iter().enumerate().map(|(index, column)| {
        let Column { constant, vis, ty, docs, name, .. } = column;
        let summary = format!("The column `{name}`.");
        let separator = (!docs.is_empty()).then(|| quote!(#[doc = ""]));
        let types = match &column.reference {
            Some(Reference { table, .. }) if is_itself(table, ident) => quote!(#ident, #ty, #private::Itself),
            Some(Reference { table, .. }) => quote!(#ident, #ty, #table),
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
        impl #ident { #(#constants)* }
    }
}

/// Whether a reference is to the table that has it, as far as that can be seen.
fn is_itself(table: &Type, ident: &Ident) -> bool {
    matches!(table, Type::Path(path) if path.path.is_ident(ident) || path.path.is_ident("Self"))
}

/// `Issue::all()` and its like: what `Table` has, without the trait in scope.
pub(crate) fn queries(private: &TokenStream, ident: &Ident, vis: &Visibility, key: &TokenStream) -> TokenStream {
    quote! {
        impl #ident {
            /// Every row.
            #vis fn all() -> #private::Select<Self> {
                <Self as #private::Table>::all()
            }

            /// The rows that `predicate` holds for.
            #vis fn filter(predicate: #private::Predicate<Self>) -> #private::Select<Self> {
                <Self as #private::Table>::filter(predicate)
            }

            /// The row with this primary key, if there is one. A key of several columns is a tuple.
            #vis fn by_key(key: impl #private::IntoKey<#key>) -> #private::ByKey<Self> {
                <Self as #private::Table>::by_key(key)
            }
        }
    }
}

fn row_impl(krate: &Crate, ident: &Ident, columns: &[Column]) -> TokenStream {
    let private = krate.private();
    let type_name = ident.to_string();
    let names = columns.iter().map(|column| &column.name);
    let types = columns.iter().map(|column| {
        let ty = &column.ty;
        let here = krate.private_at(ty.span());
        quote_spanned!(ty.span()=> <#ty as #here::ColumnValue>::TYPE)
    });
    let fields = columns.iter().enumerate().map(|(index, column)| {
        let (field, ty) = (&column.ident, &column.ty);
        let here = krate.private_at(ty.span());
        let decode = quote_spanned!(ty.span()=> |__value| <#ty as #here::ColumnValue>::decode(__value));
        quote!(#field: __row.__get(#type_name, #index, #decode)?)
    });
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::Row for #ident {
            const NAME: &'static ::core::primitive::str = #type_name;
            const COLUMNS: &'static [&'static ::core::primitive::str] = &[#(#names),*];
            const __TYPES: &'static [#private::ColumnType] = &[#(#types),*];

            fn decode(__row: &#private::RowRef<'_>) -> ::core::result::Result<Self, #private::QueryErrorKind> {
                ::core::result::Result::Ok(Self { #(#fields),* })
            }
        }
    }
}

fn table_impl(table: &Table) -> TokenStream {
    let private = table.krate.private();
    let ident = &table.ident;
    let name = &table.name;
    let key = key_type(table);
    let key_name = table.primary_key().next().map_or("", |(_, column)| column.name.as_str());
    let (columns, schema) = (columns(table), schema(table));
    let values = table.columns.iter().map(|column| {
        let (field, ty) = (&column.ident, &column.ty);
        let here = table.krate.private_at(ty.span());
        let value = quote_spanned!(ty.span()=> <#ty as #here::ColumnValue>::encode(&self.#field));
        quote!(__values.push(#value?);)
    });
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::Table for #ident {
            type Key = #key;

            const __NAME: &'static ::core::primitive::str = #name;
            const __KEY: &'static ::core::primitive::str = #key_name;
            const __COLUMNS: &'static [#private::ColumnSchema] = &[#(#columns),*];

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
fn key_type(table: &Table) -> TokenStream {
    let types: Vec<_> = table.primary_key().map(|(_, column)| &column.ty).collect();
    match types.as_slice() {
        [only] => quote!(#only),
        types => quote!((#(#types),*)),
    }
}

fn columns(table: &Table) -> Vec<TokenStream> {
    let private = table.krate.private();
    let column = |column: &Column| {
        let (name, ty) = (&column.name, &column.ty);
        let default = match &column.default {
            Some(default) => {
                let sql = &default.sql;
                quote!(::core::option::Option::Some(#sql))
            }
            None => quote!(::core::option::Option::None),
        };
        let ty = column_type(table, ty);
        quote!(#private::ColumnSchema { name: #name, ty: #ty, default: #default })
    };
    table.columns.iter().map(column).collect()
}

fn schema(table: &Table) -> TokenStream {
    let private = table.krate.private();
    let (name, type_name) = (&table.name, table.ident.to_string());
    let ident = &table.ident;
    let primary_key = table.primary_key().map(|(at, _)| at);
    let unique = table.unique.iter().map(|fields| {
        let positions = table.positions(fields);
        quote!(&[#(#positions),*])
    });
    let shape = TableShape::of(table);
    let indexes = shape
        .indexes
        .iter()
        .zip(shape.index_names())
        .map(|(positions, name)| quote!(#private::IndexSchema { name: #name, columns: &[#(#positions),*] }));
    let references =
        table.columns.iter().enumerate().filter_map(|(at, column)| {
            column.reference.as_ref().map(|reference| reference_schema(table, at, reference))
        });
    quote! {
        #private::TableSchema {
            name: #name,
            type_name: #type_name,
            columns: <#ident as #private::Table>::__COLUMNS,
            primary_key: &[#(#primary_key),*],
            unique: &[#(#unique),*],
            indexes: &[#(#indexes),*],
            references: &[#(#references),*],
            statements: #private::TableStatements::new(),
        }
    }
}

fn column_type(table: &Table, ty: &Type) -> TokenStream {
    let here = table.krate.private_at(ty.span());
    quote_spanned!(ty.span()=> <#ty as #here::ColumnValue>::TYPE)
}

fn reference_schema(table: &Table, column: usize, reference: &Reference) -> TokenStream {
    let private = table.krate.private();
    let to = &reference.table;
    let here = table.krate.private_at(to.span());
    let action = match reference.on_delete {
        OnDelete::Restrict => quote!(Restrict),
        OnDelete::Cascade => quote!(Cascade),
        OnDelete::SetNull => quote!(SetNull),
    };
    let referenced = quote_spanned!(to.span()=> <#to as #here::Table>::__NAME);
    let target = quote_spanned!(to.span()=> <#to as #here::Table>::__KEY);
    quote! {
        #private::ReferenceSchema {
            column: #column,
            table: #referenced,
            target: #target,
            on_delete: #private::ReferenceAction::#action,
        }
    }
}

/// A schema with this table has the tables it references, too.
fn references(table: &Table) -> TokenStream {
    let private = table.krate.private();
    let ident = &table.ident;
    let tables = table.columns.iter().filter_map(|column| column.reference.as_ref()).map(|reference| &reference.table);
    quote! {
        #[automatically_derived]
        impl<__S> #private::TableIn<__S> for #ident
        where
            #(__S: #private::HasTable<#tables>,)*
        {
        }
    }
}

/// What only the compiler knows of a column's type, each checked once.
fn assertions(table: &Table) -> TokenStream {
    let private = table.krate.private();
    let keys = table.primary_key().map(|(_, column)| {
        let ty = &column.ty;
        let (here, column_type) = (table.krate.private_at(ty.span()), column_type(table, ty));
        quote_spanned!(ty.span()=> const _: () = #here::assert_key_column(&#column_type);)
    });
    let references = table.columns.iter().filter_map(|column| {
        let (reference, ty) = (column.reference.as_ref()?, &column.ty);
        let to = &reference.table;
        let here = table.krate.private_at(to.span());
        let key = quote_spanned!(to.span()=> <#to as #here::Table>::Key);
        let here = table.krate.private_at(ty.span());
        let fits = quote_spanned!(ty.span()=> #here::assert_reference::<#ty, #key>(););
        let nullable = (reference.on_delete == OnDelete::SetNull)
            .then(|| quote_spanned!(reference.span=> #here::assert_nullable::<#ty>();));
        Some(quote!(#fits #nullable))
    });
    let defaults = table.columns.iter().filter_map(|column| {
        let (default, column_type) = (column.default.as_ref()?, column_type(table, &column.ty));
        let literal = match &default.literal {
            DefaultLiteral::Integer(number) => quote!(Integer(#number)),
            DefaultLiteral::Real(number) => quote!(Real(#number)),
            DefaultLiteral::Bool => quote!(Bool),
            DefaultLiteral::Text { text, is_json } => quote!(Text(#text, #is_json)),
        };
        let here = table.krate.private_at(default.span);
        Some(quote_spanned! {default.span=>
            const _: () = #here::assert_default(&#column_type, #private::DefaultKind::#literal);
        })
    });
    quote! {
        #(#keys)*
        #(#defaults)*
        const _: fn() = || { #(#references)* };
    }
}
