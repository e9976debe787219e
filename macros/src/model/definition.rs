//! Store definitions.

use syn::{Attribute, Expr, Ident, LitStr, Type, Visibility};

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
}

#[derive(Clone)]
/// `pub fn workload(at_least: i64) -> Vec<Workload> = "SELECT ..";`
pub(crate) struct QueryFn {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    pub(crate) parameters: Vec<(Ident, Type)>,
    pub(crate) shape: Shape,
    pub(crate) sql: LitStr,
}

#[derive(Clone)]
/// How many rows a query returns.
pub(crate) enum Shape {
    /// `Vec<T>`
    Many(Type),
    /// `Option<T>`
    Optional(Type),
    /// `T`
    One(Type),
}
