//! `queries { .. }`: one function per query, and what the compiler is to check of it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    Ident, Path, Type, TypePath,
    ext::IdentExt,
    parenthesized,
    parse::{Parse, ParseStream},
    spanned::Spanned,
};

use crate::{
    errors::Errors,
    keys::Crate,
    message,
    model::{Definition, QueryFn, Shape},
    parse,
    relay::{self, Known},
    sql::{Bound, Checked, Database, Parameter, ResultColumn, Storage},
};

/// Prints the way of the queries to the schema's tables, where they are checked. The answer is for [`define`].
pub(crate) fn relayed(definition: &Definition) -> TokenStream {
    let Definition { krate, ident, schema, queries, .. } = definition;
    if queries.is_empty() {
        return TokenStream::new();
    }
    let Some(path) = relay::path(schema) else {
        let error = syn::Error::new_spanned(schema, message::sql_schema_has_no_path()).into_compile_error();
        let functions = unchecked(krate, ident, queries);
        return quote!(#error #functions);
    };
    let private = krate.private();
    quote!(#path! { (#private::define_queries) (#krate) (#ident) (#schema) #(#queries)* })
}

/// Prints functions whose SQL nobody has looked at, beside an error.
pub(crate) fn unchecked(krate: &Crate, store: &Ident, queries: &[QueryFn]) -> TokenStream {
    if queries.is_empty() {
        return TokenStream::new();
    }
    let functions = queries.iter().map(|query| function(krate, store, query, None));
    quote!(impl #store { #(#functions)* })
}

/// `define_queries!`: checks the queries of a store against the tables of its schema, and prints them.
pub(crate) fn define(input: TokenStream) -> syn::Result<TokenStream> {
    let Relayed { known, krate, store, schema, queries } = syn::parse2(input)?;
    let Known::Tables(tables) = known else { return Ok(unchecked(&krate, &store, &queries)) };
    let mut database = Database::new(tables).map_err(|error| syn::Error::new_spanned(&schema, error))?;
    let mut errors = Errors::default();
    let (mut functions, mut assertions) = (Vec::new(), Vec::new());
    for query in &queries {
        let checked = match database.check(query) {
            Ok(checked) => Some(checked),
            Err(complaints) => {
                complaints.into_iter().for_each(|complaint| errors.span(complaint.span, complaint.message));
                None
            }
        };
        functions.push(function(&krate, &store, query, checked.as_ref()));
        assertions.extend(checked.map(|checked| assert(&krate, &schema, query, &checked)));
    }
    let errors = errors.into_tokens();
    Ok(quote! {
        #errors
        impl #store { #(#functions)* }
        #(#assertions)*
    })
}

/// What a schema's macro passes on.
struct Relayed {
    known: Known,
    krate: Crate,
    store: Ident,
    schema: Type,
    queries: Vec<QueryFn>,
}

impl Parse for Relayed {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let known = input.parse()?;
        let (krate, store, schema);
        parenthesized!(krate in input);
        parenthesized!(store in input);
        parenthesized!(schema in input);
        Ok(Self {
            known,
            krate: Crate::new(Some(krate.call(Path::parse_mod_style)?)),
            store: store.parse()?,
            schema: schema.parse()?,
            // They were read once, and the errors reported.
            queries: parse::query::queries(input, &mut Errors::default()),
        })
    }
}

fn function(krate: &Crate, store: &Ident, query: &QueryFn, checked: Option<&Checked>) -> TokenStream {
    let private = krate.private();
    let QueryFn { attributes, vis, ident, sql, .. } = query;
    let arguments = query.parameters.iter().map(|(name, ty)| quote!(#name: #ty));
    let values = query.parameters.iter().map(|(name, ty)| {
        let (text, value) = (name.unraw().to_string(), value(krate, name, ty));
        quote!((#text, #value))
    });
    let (shape, row) = match query.shape() {
        Shape::Many(row) => (quote!(::std::vec::Vec<#row>), row),
        Shape::Optional(row) => (quote!(::core::option::Option<#row>), row),
        Shape::One(row) => (quote!(#private::ExactlyOne<#row>), row),
    };
    let here = krate.private_at(row.span());
    // Beside a query that was checked, this would be said twice.
    let row_fits = checked.is_none().then(|| quote_spanned!(row.span()=> #here::assert_row::<#row>();));
    let reads = checked.map(|checked| reads(&private, checked));
    quote! {
        #(#attributes)*
        #vis fn #ident(#(#arguments),*) -> #private::SqlQuery<#store, #shape> {
            #row_fits
            #private::SqlQuery::__new(#sql, &[#reads], ::std::vec![#(#values),*])
        }
    }
}

/// The tables and columns that SQLite reads for it.
fn reads(private: &TokenStream, checked: &Checked) -> TokenStream {
    let mut tables: Vec<(&str, Vec<&str>)> = Vec::new();
    for (table, column) in &checked.reads {
        let at = tables.iter().position(|(found, _)| found == table).unwrap_or_else(|| {
            tables.push((table, Vec::new()));
            tables.len() - 1
        });
        // Without a name: the rows are counted.
        tables[at].1.extend((!column.is_empty()).then_some(column.as_str()));
    }
    let entries =
        tables.iter().map(|(table, columns)| quote!(#private::TableReads { table: #table, columns: &[#(#columns),*] }));
    quote!(#(#entries),*)
}

/// What only the compiler knows: whether the result's columns and the parameters are of their columns' types.
fn assert(krate: &Crate, schema: &Type, query: &QueryFn, checked: &Checked) -> TokenStream {
    let (Shape::Many(row) | Shape::Optional(row) | Shape::One(row)) = query.shape();
    let (name, here) = (query.ident.to_string(), krate.private_at(row.span()));
    let columns = checked.columns.iter().map(|column| result_column(&krate.private(), column));
    let assumed = checked.assumed.iter().filter_map(|(table, column, of)| {
        let storage = storage(&krate.private(), *of)?;
        Some(quote!((#table, #column, #storage)))
    });
    let parameters = checked.parameters.iter().map(|parameter| assert_parameter(krate, schema, parameter));
    let schema = crate::tokens::at(quote!(#schema), row.span());
    let result = quote_spanned! {row.span()=>
        const _: () = #here::assert_result::<#schema>(
            #name,
            &[#(#columns),*],
            &[#(#assumed),*],
            &#here::RowShape {
                name: <#row as #here::Row>::NAME,
                columns: <#row as #here::Row>::COLUMNS,
                types: <#row as #here::Row>::__TYPES,
            },
        );
    };
    quote!(#result #(#parameters)*)
}

fn result_column(private: &TokenStream, column: &ResultColumn) -> TokenStream {
    let ResultColumn { name, origin, filtered, null, storages } = column;
    let origin = match origin {
        Some((table, column)) => quote!(::core::option::Option::Some((#table, #column))),
        None => quote!(::core::option::Option::None),
    };
    let storages = storages.iter().filter_map(|of| storage(private, *of));
    quote! {
        #private::ResultColumn { name: #name, origin: #origin, filtered: #filtered, null: #null, storages: &[#(#storages),*] }
    }
}

/// `None` for what only the compiler knows.
fn storage(private: &TokenStream, storage: Storage) -> Option<TokenStream> {
    let variant = match storage {
        Storage::Integer => quote!(Integer),
        Storage::Real => quote!(Real),
        Storage::Text => quote!(Text),
        Storage::Blob => quote!(Blob),
        Storage::Unknown => return None,
    };
    Some(quote!(#private::Storage::#variant))
}

fn assert_parameter(krate: &Crate, schema: &Type, parameter: &Parameter) -> TokenStream {
    let name = parameter.name.unraw().to_string();
    let ty = match &parameter.ty {
        Type::Reference(reference) => &*reference.elem,
        other => other,
    };
    let column = if is_str(ty) { quote!(::std::string::String) } else { quote!(#ty) };
    let (span, here) = (ty.span(), krate.private_at(ty.span()));
    let given = quote_spanned!(span=> <#column as #here::ColumnValue>::TYPE);
    let schema = crate::tokens::at(quote!(#schema), span);
    let bound = parameter.bound.iter().map(|bound| match bound {
        Bound::Column(table, of) => {
            quote_spanned!(span=> const _: () = #here::assert_parameter::<#schema>(#name, &#given, #table, #of);)
        }
        Bound::Count => quote_spanned!(span=> const _: () = #here::assert_count(#name, &#given);),
    });
    quote!(#(#bound)*)
}

fn is_str(ty: &Type) -> bool {
    matches!(ty, Type::Path(TypePath { qself: None, path, .. }) if path.is_ident("str"))
}

/// A parameter in its stored form: `&str` as a `String` column's value, `&T` as that of a column of `T`.
fn value(krate: &Crate, name: &Ident, ty: &Type) -> TokenStream {
    let (column, reference) = match ty {
        Type::Reference(reference) => (&*reference.elem, quote!(#name)),
        other => (other, quote!(&#name)),
    };
    let here = krate.private_at(column.span());
    if is_str(column) {
        return quote!(#here::IntoValue::<::std::string::String>::into_value(#name));
    }
    quote_spanned!(column.span()=> #here::bind(<#column as #here::ColumnValue>::encode(#reference)))
}
