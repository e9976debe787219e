//! Typed store ids.

use proc_macro2::Span;
use syn::{Ident, Member, Type};

use crate::keys::Crate;

/// A `#[derive(StoreKey)]` struct.
pub(crate) struct StoreKey {
    pub(crate) krate: Crate,
    pub(crate) ident: Ident,
    pub(crate) pattern: String,
    pub(crate) span: Span,
    pub(crate) segments: Vec<Segment>,
    pub(crate) fields: Vec<KeyField>,
}

/// A piece of the pattern.
pub(crate) enum Segment {
    Literal(String),
    Field(String),
}

/// A field of the key.
pub(crate) struct KeyField {
    pub(crate) member: Member,
    /// How the pattern names it: `issue`, or `0`.
    pub(crate) name: String,
    pub(crate) ty: Type,
}
