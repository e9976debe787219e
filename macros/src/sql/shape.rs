//! The tables of a schema as derives hand them on: all that SQLite needs to check a query, in tokens without a path.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    GenericArgument, LitBool, LitInt, LitStr, PathArguments, Token, Type, bracketed, parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::model::Table;

/// One table.
#[derive(Clone, Debug)]
pub(crate) struct TableShape {
    pub(crate) name: String,
    pub(crate) columns: Vec<ColumnShape>,
    /// Places of columns, in key order.
    pub(crate) key: Vec<usize>,
    pub(crate) unique: Vec<Vec<usize>>,
    pub(crate) indexes: Vec<Vec<usize>>,
}

/// One column.
#[derive(Clone, Debug)]
pub(crate) struct ColumnShape {
    pub(crate) name: String,
    pub(crate) storage: Storage,
    pub(crate) nullable: bool,
    /// The storage is told by a name that an app may give a type of its own; only the compiler knows whether it did.
    pub(crate) assumed: bool,
}

/// How a column is stored, as far as its type's name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    Integer,
    Real,
    Text,
    Blob,
    /// A type of the app; only the compiler knows.
    Unknown,
}

const STORAGES: [(Storage, &str, &str); 5] = [
    (Storage::Integer, "integer", "INTEGER"),
    (Storage::Real, "real", "REAL"),
    (Storage::Text, "text", "TEXT"),
    (Storage::Blob, "blob", "BLOB"),
    // Without an affinity: what is put there stays what it is.
    (Storage::Unknown, "unknown", "BLOB"),
];

impl Storage {
    /// What the names of a type tell; also whether it is an `Option`.
    pub(crate) fn of(ty: &Type) -> (Self, bool) {
        match ty {
            Type::Reference(reference) => Self::of(&reference.elem),
            Type::Path(path) if path.qself.is_none() => {
                let Some(last) = path.path.segments.last() else { return (Self::Unknown, false) };
                match (last.ident.to_string().as_str(), inner(&last.arguments)) {
                    ("Option", Some(inner)) => (Self::of(inner).0, true),
                    ("Vec", Some(_)) => (Self::Blob, false),
                    ("Json", Some(_)) => (Self::Text, false),
                    (name, _) => (Self::named(name), false),
                }
            }
            _ => (Self::Unknown, false),
        }
    }

    fn named(name: &str) -> Self {
        match name {
            "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "bool" | "Timestamp" => Self::Integer,
            "f32" | "f64" => Self::Real,
            "String" | "str" => Self::Text,
            "Uuid" => Self::Blob,
            _ => Self::Unknown,
        }
    }

    /// The type in SQL.
    pub(crate) fn sql(self) -> &'static str {
        STORAGES.iter().find(|(storage, ..)| *storage == self).map_or("BLOB", |(.., sql)| sql)
    }

    fn word(self) -> Ident {
        let word = STORAGES.iter().find(|(storage, ..)| *storage == self).map_or("unknown", |(_, word, _)| word);
        Ident::new(word, Span::call_site())
    }
}

/// Whether a type is called like one that larder brings along.
fn is_assumed(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    let Some(last) = path.path.segments.last() else { return false };
    match inner(&last.arguments) {
        Some(inner) if last.ident == "Option" => is_assumed(inner),
        _ => ["Timestamp", "Uuid", "Json"].iter().any(|name| last.ident == name),
    }
}

fn inner(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(ty)) => Some(ty),
        _ => None,
    }
}

impl TableShape {
    /// What a derive knows of its table.
    pub(crate) fn of(table: &Table) -> Self {
        let column = |column: &crate::model::Column| {
            let (storage, nullable) = Storage::of(&column.ty);
            ColumnShape { name: column.name.clone(), storage, nullable, assumed: is_assumed(&column.ty) }
        };
        Self {
            name: table.name.clone(),
            columns: table.columns.iter().map(column).collect(),
            key: table.primary_key().map(|(at, _)| at).collect(),
            unique: table.unique.iter().map(|fields| table.positions(fields)).collect(),
            indexes: table.indexes.iter().map(|fields| table.positions(fields)).collect(),
        }
    }

    /// The names of its indexes, which share one space with the names of all tables. Part of the disk format.
    pub(crate) fn index_names(&self) -> impl Iterator<Item = String> {
        self.indexes.iter().map(|places| {
            let columns: Vec<&str> = places.iter().map(|at| self.columns[*at].name.as_str()).collect();
            format!("{}_{}_index", self.name, columns.join("_"))
        })
    }

    /// The columns' names.
    pub(crate) fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }
}

// `"issues" (("number" integer false false)) [0] [[1, 2]] [[2]]`
impl ToTokens for TableShape {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let columns = self.columns.iter().map(|column| {
            let ColumnShape { name, nullable, assumed, .. } = column;
            let storage = column.storage.word();
            quote!((#name #storage #nullable #assumed))
        });
        let list = |places: &Vec<usize>| quote!([#(#places),*]);
        let (name, key) = (&self.name, list(&self.key));
        let (unique, indexes) = (self.unique.iter().map(list), self.indexes.iter().map(list));
        tokens.extend(quote!(#name (#(#columns)*) #key [#(#unique),*] [#(#indexes),*]));
    }
}

impl Parse for TableShape {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.parse::<LitStr>()?.value();
        let (inner, mut columns);
        parenthesized!(inner in input);
        columns = Vec::new();
        while !inner.is_empty() {
            columns.push(inner.parse()?);
        }
        Ok(Self { name, columns, key: places(input)?, unique: lists(input)?, indexes: lists(input)? })
    }
}

impl Parse for ColumnShape {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let content;
        parenthesized!(content in input);
        let name = content.parse::<LitStr>()?.value();
        let word: Ident = content.parse()?;
        let found = STORAGES.iter().find(|(_, name, _)| word == name);
        let storage = found.map_or(Storage::Unknown, |(storage, ..)| *storage);
        let (nullable, assumed) = (content.parse::<LitBool>()?.value, content.parse::<LitBool>()?.value);
        Ok(Self { name, storage, nullable, assumed })
    }
}

fn places(input: ParseStream<'_>) -> syn::Result<Vec<usize>> {
    let content;
    bracketed!(content in input);
    let found = Punctuated::<LitInt, Token![,]>::parse_terminated(&content)?;
    found.iter().map(LitInt::base10_parse).collect()
}

fn lists(input: ParseStream<'_>) -> syn::Result<Vec<Vec<usize>>> {
    let content;
    bracketed!(content in input);
    Ok(content.parse_terminated(places, Token![,])?.into_iter().collect())
}
