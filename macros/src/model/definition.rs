//! Store definitions.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, GenericArgument, Ident, LitStr, PathArguments, Type, Visibility};

use crate::keys::Crate;

/// What `define_store!` was given.
pub(crate) struct Definition {
    pub(crate) krate: Crate,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    pub(crate) name: LitStr,
    pub(crate) identity: Identity,
    pub(crate) schema: Type,
    pub(crate) adapter: Expr,
    pub(crate) on_load: Option<Expr>,
    /// `gc_time`, `durability` and so on: fields of `StoreOptions`.
    pub(crate) options: Vec<(Ident, Expr)>,
    pub(crate) queries: Vec<QueryFn>,
}

/// What opens the store.
pub(crate) enum Identity {
    /// Any valid `StoreId`.
    StoreId,
    /// A typed id.
    Key(Box<Type>),
    /// Nothing: there is one store.
    Singleton(LitStr),
    /// Nothing: it is one read model of this definition's stores.
    Projection(Box<Type>),
}

/// `pub fn workload(at_least: i64) -> Vec<Workload> = "SELECT ..";`
#[derive(Clone)]
pub(crate) struct QueryFn {
    pub(crate) attributes: Vec<Attribute>,
    /// `#[indexed]`: it may not read a whole table.
    pub(crate) indexed: bool,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    pub(crate) parameters: Vec<(Ident, Type)>,
    pub(crate) result: Type,
    pub(crate) sql: LitStr,
}

/// How many rows a query returns, and what each becomes.
pub(crate) enum Shape<'a> {
    /// `Vec<T>`
    Many(&'a Type),
    /// `Option<T>`
    Optional(&'a Type),
    /// `T`
    One(&'a Type),
}

impl QueryFn {
    /// `Vec<T>`, `Option<T>`, or anything else, which is exactly one.
    pub(crate) fn shape(&self) -> Shape<'_> {
        if let Type::Path(path) = &self.result
            && let Some(last) = path.path.segments.last()
            && let PathArguments::AngleBracketed(arguments) = &last.arguments
            && let (1, Some(GenericArgument::Type(row))) = (arguments.args.len(), arguments.args.first())
        {
            if last.ident == "Vec" {
                return Shape::Many(row);
            }
            if last.ident == "Option" {
                return Shape::Optional(row);
            }
        }
        Shape::One(&self.result)
    }
}

impl ToTokens for QueryFn {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attributes, indexed, vis, ident, parameters, result, sql } = self;
        let indexed = indexed.then(|| quote!(#[indexed]));
        let parameters = parameters.iter().map(|(name, ty)| quote!(#name: #ty));
        tokens.extend(quote!(#(#attributes)* #indexed #vis fn #ident(#(#parameters),*) -> #result = #sql;));
    }
}
