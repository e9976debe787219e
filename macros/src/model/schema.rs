//! Schemas.

use syn::{Ident, Type, Visibility};

use crate::keys::Crate;

/// A `#[derive(StoreSchema)]` type.
pub(crate) struct Schema {
    pub(crate) krate: Crate,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    pub(crate) events: Type,
    pub(crate) tables: Vec<Type>,
    pub(crate) documents: Vec<Type>,
    pub(crate) version: u32,
}
